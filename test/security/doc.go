// Package security attacks the distribution as a client without rights, an endpoint that is hostile, or a server that is not who it says would, and
// looks at what it opens and what it tells. Its tests have the build tag e2e; they need no lab. docs/security.md says what they show.
package security
