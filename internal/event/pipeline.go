package event

import (
	"errors"
	"io"
	"sync"
)

// block is a part of the input on its way through the workers. The consumer takes blocks in the order of the input and
// waits for each.
type block struct {
	text    []byte
	ends    []int // where the records in text end; nil when the worker is to split it
	decoded batch
	done    chan struct{}

	// Of the last block only.
	err       error
	oversized int
}

// blockSize is about how much input a block holds.
const blockSize = 256 << 10

func decodeParallel(s *splitter, o Options, yield func(Event, error) bool) {
	p := &pipeline{
		free: make(chan *block, 2*o.Workers), work: make(chan *block, 2*o.Workers),
		queue: make(chan *block, 2*o.Workers), stop: make(chan struct{}),
	}
	for range cap(p.free) {
		p.free <- &block{done: make(chan struct{}, 1)}
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(p.stop)
	for range o.Workers {
		workers.Go(func() { p.decode(o) })
	}
	go p.read(s)
	p.consume(o, yield)
}

type pipeline struct {
	free  chan *block   // to be filled
	work  chan *block   // for the workers
	queue chan *block   // the same blocks in order, for the consumer
	stop  chan struct{} // closed when nobody wants more
}

// read cuts the stream into blocks until its end.
func (p *pipeline) read(s *splitter) {
	defer close(p.work)
	defer close(p.queue)
	var b *block
	flush := func() {
		if b != nil && len(b.text) > 0 {
			p.queue <- b
			p.work <- b
			b = nil
		}
	}
	s.beforeRead = flush
	for {
		if lines := s.takeLines(); lines != nil {
			flush()
			if b = p.empty(); b == nil {
				return
			}
			b.text = append(b.text, lines...)
			flush()
			continue
		}
		record, err := s.next()
		if b == nil {
			if b = p.empty(); b == nil {
				return
			}
		}
		if err != nil {
			p.end(b, s, err)
			return
		}
		b.text = append(b.text, record...)
		b.ends = append(b.ends, len(b.text))
		if len(b.text) >= blockSize {
			flush()
		}
	}
}

// empty gives a block to fill; nil when nobody wants more.
func (p *pipeline) empty() *block {
	select {
	case <-p.stop:
		return nil
	case b := <-p.free:
		if cap(b.text) > 4*blockSize {
			b.text = nil // held a huge record
		}
		b.text, b.ends, b.err = b.text[:0], nil, nil
		return b
	}
}

// end sends the last block, with what the reader said.
func (p *pipeline) end(b *block, s *splitter, err error) {
	b.err, b.oversized = err, s.oversized
	if b.ends == nil {
		b.ends = []int{}
	}
	p.queue <- b
	p.work <- b
}

func (p *pipeline) decode(o Options) {
	d := newDecoder(o)
	for {
		select {
		case <-p.stop:
			return
		case b, ok := <-p.work:
			if !ok {
				return
			}
			d.block(b)
			b.done <- struct{}{}
		}
	}
}

func (d *decoder) block(b *block) {
	d.batch = b.decoded
	d.batch.reset()
	if b.ends == nil {
		lines := splitBytes(b.text)
		lines.begun = true
		d.split(lines)
	}
	start := 0
	for _, end := range b.ends {
		d.record(b.text[start:end])
		start = end
	}
	b.decoded = d.batch
	d.batch = batch{}
}

// consume gives the events of one block after the other.
func (p *pipeline) consume(o Options, yield func(Event, error) bool) {
	for {
		b, ok := receive(p.queue, o.Waiting)
		if !ok {
			return
		}
		receive(b.done, o.Waiting)
		o.Stats.add(b.decoded.stats)
		o.Stats.Oversized += b.oversized
		for i := range b.decoded.events {
			if !yield(b.decoded.events[i], nil) {
				return
			}
		}
		if b.err != nil && !errors.Is(b.err, io.EOF) {
			yield(Event{}, b.err)
			return
		}
		p.free <- b
	}
}

// receive takes from a channel, and calls waiting first where nothing is there yet.
func receive[T any](from <-chan T, waiting func()) (v T, ok bool) {
	select {
	case v, ok = <-from:
	default:
		waiting()
		v, ok = <-from
	}
	return v, ok
}
