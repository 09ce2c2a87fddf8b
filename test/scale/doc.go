// Package scale measures the distribution on a large cluster: what it keeps in memory, and that it counts every address of it.
package scale
