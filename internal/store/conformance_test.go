package store

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// behaviours are what a memory does, whatever engine it is in.
var behaviours = []struct {
	name string
	test func(*testing.T, *world)
}{
	{"an event is stored once", anEventIsStoredOnce},
	{"an event without a SID is known by its body", anEventWithoutASIDIsKnownByItsBody},
	{"the shape that names a factor is kept", theShapeThatNamesAFactorIsKept},
	{"concurrent deliveries are all stored", concurrentDeliveriesAreAllStored},
	{"a failed commit is no success", aFailedCommitIsNoSuccess},
	{"kill loses no acknowledged event", killLosesNoAcknowledgedEvent},
	{"stored events are found", storedEventsAreFound},
	{"coverage is the union of its spans", coverageIsTheUnionOfItsSpans},
	{"fifty runs in ten processes make one challenge", fiftyRunsInTenProcessesMakeOneChallenge},
	{"fifty callers in one process make one challenge", fiftyCallersInOneProcessMakeOneChallenge},
	{"a claim from its beginning to its end", aClaimFromItsBeginningToItsEnd},
	{"resends are counted before they are sent", resendsAreCountedBeforeTheyAreSent},
	{"the first receipt of a source counts", theFirstReceiptOfASourceCounts},
	{"what was met is offered again", whatWasMetIsOfferedAgain},
	{"a full crawl fills the index and forgets what is gone", aFullCrawlFillsTheIndexAndForgetsWhatIsGone},
	{"a changed crawl reads what is on its list only", aChangedCrawlReadsWhatIsOnItsListOnly},
	{"only one process crawls", onlyOneProcessCrawls},
	{"the index is of one Service", theIndexIsOfOneService},
	{"a crawl that is killed goes on", aCrawlThatIsKilledGoesOn},
	{"duplicates are found", duplicatesAreFound},
	{"declared metadata gives the same answers", declaredMetadataGivesTheSameAnswers},
	{"outcomes are kept by item", outcomesAreKeptByItem},
	{"a credential file is remembered", aCredentialFileIsRemembered},
	{"an erased identity is nowhere", anErasedIdentityIsNowhere},
	{"what is kept is listed and purged", whatIsKeptIsListedAndPurged},
	{"counts are those of the factors", countsAreThoseOfTheFactors},
	{"processes that open at once make one memory", processesThatOpenAtOnceMakeOneMemory},
	{"a token is kept as a hash only", aTokenIsKeptAsAHashOnly},
	{"deletions are kept from before they are sent", deletionsAreKeptFromBeforeTheyAreSent},
	{"the index answers as conditions mean", theIndexAnswersAsConditionsMean},
	{"conditions never become SQL", conditionsNeverBecomeSQL},
	{"deep conditions are answered", deepConditionsAreAnswered},
	{"a rotation is remembered until it ends", aRotationIsRememberedUntilItEnds},
	{"a creation is open until its SID is noted", aCreationIsOpenUntilItsSIDIsNoted},
	{"hostile bytes come back as they came", hostileBytesComeBackAsTheyCame},
	{"identities are ordered by their bytes", identitiesAreOrderedByTheirBytes},
	{"a holder that lost its crawl writes nothing", aHolderThatLostItsCrawlWritesNothing},
	{"what it stands on is checked", whatItStandsOnIsChecked},
	{"one client at a time works alone", oneClientAtATimeWorksAlone},
	{"work that fails gives its place back", workThatFailsGivesItsPlaceBack},
	{"what was sent is recorded after an interrupt", whatWasSentIsRecordedAfterAnInterrupt},
	{"an interrupted run records nothing new", anInterruptedRunRecordsNothingNew},
	{"what was not begun cannot be finished", whatWasNotBegunCannotBeFinished},
	{"SIDs are known in either letter case", sidsAreKnownInEitherLetterCase},
	{"a span has its beginning and not its end", aSpanHasItsBeginningAndNotItsEnd},
	{"events of one instant are all walked", eventsOfOneInstantAreAllWalked},
	{"purging by age keeps the instant itself", purgingByAgeKeepsTheInstantItself},
	{"purging one kind leaves the others", purgingOneKindLeavesTheOthers},
	{"one factor or one entity is forgotten", oneFactorOrOneEntityIsForgotten},
	{"times are kept to the microsecond", timesAreKeptToTheMicrosecond},
	{"an empty memory answers", anEmptyMemoryAnswers},
	{"every identity that is read is told", everyIdentityThatIsReadIsTold},
	{"a walk that is left holds nothing", aWalkThatIsLeftHoldsNothing},
	{"what one records another reads", whatOneRecordsAnotherReads},
	{"resends count for their challenge", resendsCountForTheirChallenge},
	{"a memory that answers says so", aMemoryThatAnswersSaysSo},
}

// TestConformance runs every behaviour on every engine.
func TestConformance(t *testing.T) {
	for _, engine := range []struct {
		name  string
		world func(t *testing.T) *world
	}{{"SQLite", fileWorld}, {"PostgreSQL", sharedWorld}} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			engine.world(t) // skips all of it, saying so, where there is no such engine
			for _, b := range behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					b.test(t, engine.world(t))
				})
			}
		})
	}
}

// world is a memory of its own, and a machine that uses it.
type world struct {
	dir         string // the machine's state directory
	environment string
	service     verify.ServiceSID
	address     string                    // of the PostgreSQL server; "" for a file
	fresh       func(t *testing.T) *world // another memory
}

// fileWorld is a SQLite file.
func fileWorld(t *testing.T) *world {
	return &world{dir: t.TempDir(), environment: "production", service: service, fresh: fileWorld}
}

func (w *world) env() verify.Environment {
	return verify.Environment{Name: w.environment, AccountSID: account, ServiceSID: w.service}
}

// open opens the memory until the test ends.
func (w *world) open(t testing.TB) *Store {
	t.Helper()
	if w.address == "" {
		return openStore(t, w.dir)
	}
	s, err := OpenShared(t.Context(), w.dir, w.env(), w.shared())
	check(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// another is another machine that uses the same memory; a file has one.
func (w *world) another(t *testing.T) *world {
	other := *w
	if w.address != "" {
		other.dir = t.TempDir()
	}
	return &other
}

// child is another process of the machine.
func (w *world) child(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+role, "STORE_TEST_DIR="+w.dir,
		"STORE_TEST_ADDRESS="+w.address, "STORE_TEST_SERVICE="+string(w.service))
	cmd.Stderr = os.Stderr
	return cmd
}

// openAsChild opens the memory in a process that [world.child] started.
func openAsChild(ctx context.Context, dir string) (*Store, error) {
	address := os.Getenv("STORE_TEST_ADDRESS")
	if address == "" {
		return Open(ctx, dir, "production")
	}
	env := verify.Environment{Name: "production", AccountSID: account, ServiceSID: verify.ServiceSID(os.Getenv("STORE_TEST_SERVICE"))}
	return OpenShared(ctx, dir, env, Shared{URL: address, Key: teamKey})
}

// content gives all that the memory keeps.
func (w *world) content(t testing.TB) []byte {
	t.Helper()
	if w.address != "" {
		return w.everyRow(t)
	}
	var content []byte
	files := must[[]os.DirEntry](t)(os.ReadDir(w.dir))
	if len(files) == 0 {
		t.Fatal("the state directory is empty")
	}
	for _, file := range files {
		content = append(content, must[[]byte](t)(os.ReadFile(filepath.Join(w.dir, file.Name())))...)
	}
	return content
}
