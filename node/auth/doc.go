// Package auth says who is asking and whether they may: principals, passwords, tokens, sessions, and the one table of
// permissions.
//
// # Who
//
// A Principal comes from a browser session (a cookie), from an API token ("Authorization: Bearer"), from the data
// directory's socket (whoever may open it owns the server), or is a part of the product that acts by itself, such as
// demo-policy. It always has one current group: the session's or the token's, or the one that the request named in
// Edgeward-Group if the principal belongs to it. Groups own everything; an object of another group answers as an absent
// one.
//
// # What may be done
//
// Allowed looks up one table: resource, verb, roles. What is not in it is denied. admin is a role on the node: it manages
// users, groups and the server, and sees no group's data unless it is a member. The other roles hold inside one group:
// owner, scientist, operator, reviewer, service.
//
// # Secrets
//
// Passwords are stored as argon2id (64 MiB, 3 passes). At most two are computed at a time, so logins cannot eat the
// memory. An unknown name costs the same time as a wrong password. Tokens and session cookies are 256 random bits and are
// stored as SHA-256 only; a secret is shown once, when it is made. There is no default password: while no administrator
// exists, the first start prints a link with a secret that makes the first one, or EDGEWARD_BOOTSTRAP_TOKEN becomes the
// first administrator's API token. A secret never appears in an error, a log or an event.
//
// Every change names its principal and leaves an event; so do logins, failed ones included.
package auth
