// Package nodeshares gathers the points of one scrape that tell nodes apart, and yields the fewer ones that replace them.
// Which nodes keep points of their own is the rule of nodedetail; when it runs and how points are read and written is decided elsewhere.
package nodeshares
