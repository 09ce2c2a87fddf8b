// Package conformance compares the account of a cluster's addresses with what Calico itself says of them: calicoctl and kube-controllers, number by
// number, while Calico's own library allocates and releases addresses at random. It has tests only, which need the lab: see test/labtest.
package conformance
