package threats

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// attack is one of the threat table. test is of the whole, here; proved are tests elsewhere, by package and name.
type attack struct {
	name, defence string
	test          func(*testing.T)
	proved        []string
}

// table lists all attacks; the first is number 1.
var table = []attack{
	{"Arbitrary model or program from a hub that was taken over", "Persons' keys sign, offline; the hub can only choose", invented,
		[]string{"sync/tuf.TestAStolenHubKeyAddsNothing", "sync/tuf.TestAModelTakesTwoPersons", "fleet/agent.TestWhatIsNotBelieved", "node/threats.TestWhoTakesTheHubOverBringsNothingByAPromotion"}},
	{"Going back to an older signed state", "Floors of every signed file and of the document, on the disk before anything is done", replayed,
		[]string{"sync/tuf.TestNothingGoesBack", "sync/tuf.TestEpochs"}},
	{"Freeze: an old state is served as the latest", "Timestamps live 7 days, documents 14; servers of a site tell each other what they have seen", frozen,
		[]string{"sync/tuf.TestFreeze"}},
	{"Fast-forward: the highest version number", "A new charter that names another key for the hub forgets the numbers of the old one", ahead,
		[]string{"sync/tuf.TestFastForward"}},
	{"Mix and match, parts left out", "All signed files are of one snapshot; a version is registered with all its files or not at all", mixed,
		[]string{"sync/tuf.TestMixAndMatch"}},
	{"Endless data, bombs, slow answers", "Every answer has a bound and every transfer a least rate", unending,
		[]string{"fleet/agent.TestAHubThatHardlySpeaksIsGivenUp", "sync/pull.TestASlowSourceIsGivenUp", "sync/delta.TestDamagedDeltas", "fleet/bundle.TestWhatIsNoBundle"}},
	{"A poisoned block or difference from a server of the site", "Held against the signed manifest block by block; who sends wrong bytes is not asked for an hour", nil,
		[]string{"fleet/peer.TestABadPeerIsBannedAndEverybodyCompletes", "fleet/peer.TestAPeerThatGivesHalfIsPassedOver", "sync/pull.TestABadBlockEndsATransferAtOnce", "sync/pull.TestADifferenceIsHeldAgainstTheBlocks", "fleet/agent.TestAlteredBytesOfATakenVersionNeverRun"}},
	{"Forged gossip, by a member or with the site's key", "Gossip is a hint; the roster is signed; who is dead is proved by TLS", nil,
		[]string{"fleet/member.TestForgedDeathsChangeNothing", "fleet/member.TestWhoIsNotOnTheRosterIsNobody", "fleet/member.TestAnotherKeyOrAnotherSiteHearsNothing", "fleet/member.FuzzMeta"}},
	{"Requests are dropped, lines are cut", "Every call is repeated with growing pauses; a site goes on by itself; files by stick", dropped,
		[]string{"node/systemtest.TestFleetDemo", "fleet/peer.TestADeadFetcherCostsSeconds"}},
	{"A copied disk", "Two living starts of one certificate are found; both are put in quarantine until a person decides", cloned,
		[]string{"fleet/hub.TestAClone", "fleet/hub.TestAMembersNameIsNotTaken"}},
	{"A join code that was stolen, guessed or used again", "256 random bits, one use, a day, a person looks; ten guesses a minute", guessed,
		[]string{"fleet/hub.TestJoin", "fleet/hub.TestGuessesAreSlow", "fleet/hub.TestAPersonApproves"}},
	{"Another server at the hub's address", "The code names the authority's digest; later only a certificate that says hub is taken", rogue,
		[]string{"fleet/pki.TestWhichHubANodeTalksTo"}},
	{"A stolen server reads what others run", "The hub and the servers of a site give what the caller's own document leads to; the rest is absent", stolen,
		[]string{"fleet/peer.TestAPeerGivesOnlyWhatTheDocumentLeadsTo", "fleet/hub.TestWhoIsShutOutLosesTheKeys", "node/threats.TestWhatAServerOfTheSiteIsNotGiven"}},
	{"A model that attacks what loads it", "Checked before it is loaded, loaded in a worker with bounds, no names that lead out of its folder", nil,
		[]string{"node/systemtest.TestBadInputInModels", "node/systemtest.TestBadInputDamagedModels", "runtime/infer.TestBadInputModelsThatLoopOrAllocate"}},
	{"Training data that was poisoned at one site", "Shadow and gates hold it against the version that answers, on each server; another server of the site takes it only when a person on it says so; two persons sign before it leaves the site", nil,
		[]string{"node/systemtest.TestFleetDemo", "fleet/agent.TestWhatIsOtherIsNeverPromoted", "fleet/agent.TestWhatOthersOfferAndIsNotTaken", "fleet/agent.TestATakenVersionThatDoesNotPassHere"}},
	{"An operator's mistake, everywhere at once", "Waves, one node first; a failure takes it back", careless,
		[]string{"fleet/rollout.TestABadVersionStopsAtOneNode", "fleet/rollout.TestNeverBothOfAPairAndNeverMoreOfASiteThanAllowed"}},
	{"An administrator of the hub with bad intent", "Four eyes by signatures; the hub follows each server's log line by line, and each server the hub's by its head and proofs", insider,
		[]string{"fleet/witness.TestAHeadGoesOnlyOn", "fleet/hub.TestARewrittenLogIsSeen", "node/audit.TestWhatAnAttackerDoesIsFound", "node/audit.TestARewrittenLogIsFoundByAHeadKeptElsewhere"}},
	{"A stick that was tampered with, is stale, or is for another site", "The same verifier as on the wire, bounds, nothing starts by itself", nil,
		[]string{"fleet/agent.TestWhatIsRefusedOfAFile", "fleet/agent.TestNoFlippedBitRuns", "fleet/bundle.TestEachFlippedBitIsSeen"}},
	{"Telemetry in the name of another over MQTT", "The hub counts what the node says over TLS; MQTT is heard and held against it", nil,
		[]string{"node/role.TestMQTTIsCountedOnce", "fleet/hub.TestWhatNothingProvesIsBounded"}},
	{"Commands over MQTT", "Over MQTT a server takes rows to be answered, where somebody set that up, and nothing else", nil,
		[]string{"node/systemtest.TestNothingOfARequestLeavesANode"}},
	{"Clocks that are wrong by decades", "The hub's time in a live session, never before the latest signed time", clocks,
		[]string{"fleet/pki.TestWrongClocks"}},
	{"Power cuts and a full disk at any step", "Written beside, synced, renamed; every step can be repeated", fulls,
		[]string{"sync/slot.TestPowerCutAtEveryOperation", "sync/slot.TestPowerCutsAtRandomOperations", "sync/blobs.TestKillNineKeepsWhatWasAcknowledgedAndNothingHalf", "sync/blobs.TestFullDisk", "fleet/hub.TestSomethingOfTheDiskFails", "node/systemtest.TestAFullDisk"}},
	{"An update of the program that does not start", "Two slots, a trial, the old one comes back by itself", nil,
		[]string{"node/systemtest.TestSelfUpdateUnderLoad", "sync/slot.TestPowerCutsAtRandomOperations", "sync/slot.TestASlotThatWasChangedIsNotStarted"}},
	{"Keys were stolen and must be replaced", "Root names others; each node walks through all changes in order", replaced,
		[]string{"sync/tuf.TestKeyRotation", "fleet/hub.TestTheHubGetsAnotherKey"}},
	{"Everybody comes back at once", "Each node has a place of its own after an outage; pauses grow; the hub says when to come again", nil,
		[]string{"fleet/outbox.TestNoStampede", "fleet/hub.TestSpread", "fleet/agent.TestPauses", "node/systemtest.TestSoakFleetAtScale"}},
	{"Patients' data in what leaves a server", "Named fields of known messages, counts of ten and more", nil,
		[]string{"node/systemtest.TestNothingOfARequestLeavesANode", "fleet/outbox.TestOnlyNamedFieldsLeave", "fleet/summary.TestFewCasesWait"}},
}

// inputs are what is wrong without anybody's intent, and what then is said.
var inputs = []struct {
	what, said string
	proved     []string
}{
	{"A join code that is wrong, was used, has expired or was taken back", "`fleet.code`, `fleet.code_unknown`, `fleet.code_used`, `fleet.code_expired`; after ten guesses `fleet.join_guesses`", []string{"node/threats.TestThreats/11", "fleet/spec.TestCode", "fleet/hub.TestJoin"}},
	{"A clock that is wrong by decades, of a node", "The page says that the clock is wrong; the hub's time counts", []string{"node/threats.TestThreats/21", "fleet/pki.TestWrongClocks"}},
	{"A clock that is wrong by decades, of the hub", "`fleet.clock` at the founding; later `fleet.stale`, and after a clock that was years back `fleet.refused`: sign again, join again", []string{"node/threats.TestThreats/21", "node/role.TestNoFleetIsFoundedByAClockOfThePast"}},
	{"A transfer that breaks off, does not end, or unpacks to more than there is", "It goes on where it stopped; `pull.too_long`, `fleet.too_large`", []string{"node/threats.TestThreats/06", "sync/pull.TestABrokenTransferGoesOnWhereItStopped", "fleet/bundle.TestWhatIsNoBundle"}},
	{"A second hub", "`fleet.member`: leave the first. Of one hub that was restored twice the later term counts: `fleet.old_hub`", []string{"node/role.TestAServerHasOneHub", "fleet/hub.TestARestoredHubRollsNothingBack"}},
	{"Two servers of one name, a server that was renamed", "The id counts; a name that two have is refused", []string{"node/threats.TestANameIsNoIdentity"}},
	{"A copied disk", "`fleet.node_quarantined` at both", []string{"node/threats.TestThreats/10"}},
	{"A full disk, at any step of fetching and switching", "`store.full`, `disk.full`; it goes on by itself when there is room", []string{"node/threats.TestThreats/22", "sync/blobs.TestFullDisk", "node/systemtest.TestAFullDisk"}},
	{"A full disk, at any step of an update of the program", "`update.disk`; what ran runs", []string{"sync/slot.TestAFullDiskAtEveryOperation", "sync/slot.TestPowerCutsAtRandomOperations"}},
	{"A hub or a server that is too new or too old", "`fleet.format`, `fleet.manifest_unread`, `store.newer`: which of the two to update", []string{"fleet/spec.TestWhatIsNoDocument", "fleet/agent.TestWhatIsNotBelieved", "fleet/hub.TestJoin", "node/systemtest.TestADirectoryOfANewerVersion", "node/systemtest.TestADirectoryOfFormat1Opens"}},
}

// root of the repository, from here.
const root = "../.."

func TestThreats(t *testing.T) {
	if len(table) != 26 {
		t.Fatalf("%d attacks", len(table))
	}
	for i, a := range table {
		t.Run(fmt.Sprintf("%02d %s", i+1, a.name), func(t *testing.T) {
			if a.test == nil && len(a.proved) == 0 {
				t.Fatal("nothing proves it")
			}
			for _, p := range a.proved {
				if !exists(t, p) {
					t.Errorf("there is no test %s", p)
				}
			}
			if a.test != nil {
				t.Parallel()
				a.test(t)
			}
		})
	}
}

// exists looks for a test in the source.
func exists(t *testing.T, test string) bool {
	t.Helper()
	dir, name, _ := strings.Cut(test, ".")
	name, _, _ = strings.Cut(name, "/") // its parts are found when it runs
	list, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
				return true
			}
		}
	}
	return false
}

// row is the attack's line in docs/threats.md.
func (a attack) row(n int) string {
	var tests []string
	if a.test != nil {
		tests = append(tests, fmt.Sprintf("`node/threats.TestThreats/%02d`", n))
	}
	for _, p := range a.proved {
		tests = append(tests, "`"+p+"`")
	}
	return fmt.Sprintf("| %d | %s | %s | %s |", n, a.name, a.defence, strings.Join(tests, ", "))
}

// TestThePageListsThem holds docs/threats.md against the table: the same attacks, the same tests.
func TestThePageListsThem(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "threats.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for l := range strings.Lines(string(b)) {
		lines[strings.TrimSpace(l)] = true
	}
	want := func(row string) {
		if !lines[row] {
			t.Errorf("docs/threats.md lacks the line\n%s", row)
		}
	}
	for i, a := range table {
		want(a.row(i + 1))
	}
	for _, x := range inputs {
		for _, p := range x.proved {
			if !exists(t, p) {
				t.Errorf("there is no test %s", p)
			}
		}
		want(fmt.Sprintf("| %s | %s | `%s` |", x.what, x.said, strings.Join(x.proved, "`, `")))
	}
}
