package store

// noun is what every Collection can do without its type.
type noun interface {
	buckets() []string
	check(tx *Tx, problem func(bucket string, key []byte, what string)) error
	index(tx *Tx, bucket string) error // fills an index that is new
}

// catalogue lists the collections: Open creates their buckets, Check compares them with their indexes. A noun that is not
// here does not exist.
func catalogue() []noun {
	return []noun{
		&Groups, &Users, &Tokens, &Sessions,
		&settings, &idempotency,
		&Datasets, &DatasetVersions, &Models, &ModelVersions, &Candidates,
		&Endpoints, &statuses, &Jobs, &Watches, &Scorings, &Deliveries, &answered, &demos,
		&fleets, &fleetCodes, &fleetNodes, &fleetAssignments, &fleetMoves, &fleetOverlays, &fleetEvents, &memberships, &fleetTrust, &fleetKept, &fleetWitness,
		&fleetSummaries, &fleetCounts, &hubEvents, &hubQueues, &fleetTallies, &fleetInquiries,
	}
}

func bucketNames() []string {
	names := []string{bucketMeta, bucketEvents, bucketTree, bucketHead, bucketByGroup, bucketByObject, bucketOutbox}
	for _, n := range catalogue() {
		names = append(names, n.buckets()...)
	}
	return names
}

const (
	bucketMeta     = "meta"
	bucketEvents   = "events"
	bucketTree     = "events.tree"
	bucketHead     = "events.head"
	bucketByGroup  = "ix/events/group"
	bucketByObject = "ix/events/object"
)
