package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"edgeward"
	"edgeward/fleet/witness"
	"edgeward/node/client"
	"edgeward/node/events"
)

// oddities are what a hub's log that does not fit means, by code.
var oddities = map[string]string{
	string(witness.WentBack): "the hub's log now has fewer events than this server saw",
	string(witness.Forked):   "the hub's log now is another one than this server saw",
}

// printWitness says what this server saw of its hub's log.
func printWitness(w io.Writer, x *client.FleetWitness) {
	if x == nil {
		return
	}
	if x.Code != "" {
		fmt.Fprintf(w, "%s (%s, since %s): somebody rewrote it, or put back an old copy. Look at the hub; keep what edgeward fleet membership --json prints\n", oddities[x.Code], x.Code, when(x.Since))
	}
	for _, p := range x.Before {
		if !p.Kept {
			fmt.Fprintf(w, "the hub was restored: its log of term %d was seen up to event %s, and the present one does not begin with it\n", p.Statement.Term, count(p.Statement.Head.Size))
		}
	}
}

// printWitnessed says what other servers say of a log.
func printWitnessed(w io.Writer, x *client.Witnessed) {
	if x == nil {
		return
	}
	if x.Servers > 0 {
		who := count(x.Servers) + " servers"
		if x.Servers == 1 {
			who = "1 server"
		}
		fmt.Fprintf(w, "witnessed by %s up to event %s\n", who, count(x.UpTo))
	}
	for _, name := range x.Against {
		fmt.Fprintf(w, "%s saw another log\n", name)
	}
}

// witnessHeads reads the heads that a server of the fleet saw, as fleet membership --json prints them there.
func witnessHeads(path string) (out []events.Head, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m client.FleetMembership
	if json.Unmarshal(b, &m) != nil || m.Witness == nil || m.Witness.Head.Size == 0 {
		return nil, edgeward.E("audit", edgeward.Invalid, "audit.witness", "%s holds no head of a hub's log", path).WithHint("give what edgeward fleet membership --json prints on a server of the fleet")
	}
	out = append(out, events.Head(m.Witness.Head))
	for _, p := range m.Witness.Before {
		if p.Kept {
			out = append(out, events.Head(p.Statement.Head))
		}
	}
	return out, nil
}
