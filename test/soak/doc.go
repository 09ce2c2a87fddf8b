// Package soak has an agent and a gateway work through a day of traffic at 30 times its pace, and looks whether they need more at its end than in its middle.
package soak
