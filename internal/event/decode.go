package event

import (
	"errors"
	"io"
	"iter"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Options says how to decode. The zero value decodes everything, one record after the other.
type Options struct {
	Workers     int          // how many records are decoded at a time; 0 is 1. The order of events is the input's either way
	SkipNoise   bool         // count events that are no push errors ([Event.IsNoise]) instead of giving them
	Attribution *Attribution // tells the environment of each event; may be nil
	Stats       *Stats       // filled while decoding, to be read after it; may be nil

	// Encode appends to a text what is to be written of an event, which becomes its [Event.Encoded]. It is called where the
	// event was decoded, by several goroutines at a time; may be nil.
	Encode func(to []byte, e *Event) []byte
	// Waiting is called before more input is waited for, so that what was given can be written until then; may be nil.
	Waiting func()
}

// Stats counts what went through a decoder, so that nothing is dropped in silence.
type Stats struct {
	Events     int           // given
	Skipped    map[Noise]int // left out as noise
	Unreadable int           // records, or lines of a log, in which there was no event
	Oversized  int           // events over 8 MiB and lines of text over 1 MiB, left out
}

// Noise sorts what was left out.
type Noise struct {
	Product Product
	Level   string // lower case; "" when the event has none
}

// Decode reads a stream of events in any shape and gives them in the order of the input, holding one block of it at a
// time. It finds out by itself what it reads: JSON objects, lists, lines or pages of them in any of Twilio's shapes,
// forms, tables, and texts that people paste. Events that could not be read whole are marked, never guessed. The error is
// the reader's and comes last; it is a [verify.Error] for a table of which no column is known. When the loop is left early
// with several workers, a Read in progress may still end later.
func Decode(r io.Reader, o Options) iter.Seq2[Event, error] {
	if o.Stats == nil {
		o.Stats = &Stats{}
	}
	if o.Waiting == nil {
		o.Waiting = func() {}
	}
	return func(yield func(Event, error) bool) {
		s := newSplitter(r)
		s.beforeRead = o.Waiting
		switch t, err := s.table(); {
		case err != nil:
			yield(Event{}, err)
		case t != nil:
			decodeTable(t, o, yield)
		case o.Workers > 1:
			decodeParallel(s, o, yield)
		default:
			decodeInOrder(s, o, yield)
		}
	}
}

func decodeTable(t *table, o Options, yield func(Event, error) bool) {
	d := newDecoder(o)
	err := t.read(d, func() bool {
		o.Stats.add(d.batch.stats)
		for i := range d.batch.events {
			if !yield(d.batch.events[i], nil) {
				return false
			}
		}
		d.batch.reset()
		return true
	})
	if err != nil {
		yield(Event{}, err)
	}
}

// Parse gives the events in a text that is whole in memory.
func Parse(text []byte) []Event {
	d := newDecoder(Options{})
	s := splitBytes(plainBytes(text))
	if t, err := s.table(); err != nil {
		return nil
	} else if t != nil {
		t.read(d, func() bool { return true }) //nolint:errcheck // it is in memory
		return d.batch.events
	}
	d.split(s)
	return d.batch.events
}

// FromAlert reads an alert of the Monitor API. When its text has no correlation ids, those of the request it is about are
// taken, which only a single alert has; they are inferred.
func FromAlert(a verify.Alert) Event {
	d := newDecoder(Options{})
	f := &d.recorder.facts
	f.reset()
	f.ofAlert(a)
	d.recorder.alertText([]byte(a.AlertText), 1)
	if !f.seen.has(fieldCorrelation) && looksLikePairs(a.RequestVariables) {
		d.recorder.pairs(a.RequestVariables, 1)
		f.aside = f.seen.has(fieldCorrelation)
	}
	d.recorder.finish()
	return d.batch.events[0]
}

// IsNoise tells whether the event is none that push delivery is about: not a push error, or nothing but a log line.
func (e *Event) IsNoise() bool {
	return e.Verdict == NotPush && e.Product != ProductVerifyPush || e.Level == "info" || e.Level == "debug"
}

// batch is what came of a part of the input.
type batch struct {
	events  []Event
	encoded []byte // of the events, one behind the other
	stats   Stats
}

func (b *batch) reset() {
	b.events, b.encoded = b.events[:0], b.encoded[:0]
	skipped := b.stats.Skipped
	clear(skipped)
	b.stats = Stats{Skipped: skipped}
}

func (s *Stats) add(other Stats) {
	s.Events += other.Events
	s.Unreadable += other.Unreadable
	s.Oversized += other.Oversized
	for noise, n := range other.Skipped {
		s.skip(noise, n)
	}
}

func (s *Stats) skip(noise Noise, n int) {
	if s.Skipped == nil {
		s.Skipped = map[Noise]int{}
	}
	s.Skipped[noise] += n
}

// decoder makes events of records, into its batch.
type decoder struct {
	options  Options
	recorder recorder
	batch    batch
}

func newDecoder(o Options) *decoder {
	d := &decoder{options: o}
	d.recorder.descriptions = descriptions{}
	d.recorder.emit = d.conclude
	return d
}

// conclude judges what was read.
func (d *decoder) conclude(f *facts) {
	d.batch.events = append(d.batch.events, Event{})
	e := &d.batch.events[len(d.batch.events)-1]
	judge(e, f, &d.recorder)
	if d.options.Attribution != nil {
		d.options.Attribution.Apply(e)
	}
	if d.options.SkipNoise && e.IsNoise() {
		d.batch.stats.skip(Noise{e.Product, e.Level}, 1)
		d.batch.events = d.batch.events[:len(d.batch.events)-1]
		return
	}
	d.batch.stats.Events++
	if d.options.Encode != nil {
		start := len(d.batch.encoded)
		d.batch.encoded = d.options.Encode(d.batch.encoded, e)
		e.Encoded = d.batch.encoded[start:len(d.batch.encoded):len(d.batch.encoded)]
	}
}

func (d *decoder) record(record []byte) {
	if !d.recorder.read(record) {
		d.batch.stats.Unreadable++
	}
}

func (d *decoder) split(s *splitter) {
	for {
		record, err := s.next()
		if err != nil {
			d.batch.stats.Oversized += s.oversized
			return
		}
		d.record(record)
	}
}

func decodeInOrder(s *splitter, o Options, yield func(Event, error) bool) {
	d := newDecoder(o)
	for {
		record, err := s.next()
		o.Stats.Oversized = s.oversized
		if err != nil {
			if !errors.Is(err, io.EOF) {
				yield(Event{}, err)
			}
			return
		}
		d.batch.reset()
		d.record(record)
		o.Stats.add(d.batch.stats)
		for i := range d.batch.events {
			if !yield(d.batch.events[i], nil) {
				return
			}
		}
	}
}
