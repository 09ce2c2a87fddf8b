// Package forecast says when an IP pool will be full: a range of moments, or the reason why nothing honest can be said.
//
// It is a function of a bounded history and of the limits of the pool. It holds no clock, no goroutine and no lock: the owner passes the time in and
// keeps a History for each pool. docs/forecast.md describes the method and its measured error.
package forecast
