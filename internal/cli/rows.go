package cli

import "iter"

// collect reads all of a list; with an error it gives what was read before it.
func collect[T any](rows iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for v, err := range rows {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// each gives the elements of a slice as rows.
func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// limited ends rows after limit of them; 0 is no limit.
func limited[T any](limit int, rows iter.Seq2[T, error]) iter.Seq2[T, error] {
	if limit == 0 {
		return rows
	}
	return func(yield func(T, error) bool) {
		n := 0
		for v, err := range rows {
			if !yield(v, err) {
				return
			}
			if n++; n == limit {
				return
			}
		}
	}
}

// resultsOf gives as rows what run reports. A reader that goes away does not end run.
func resultsOf[T any](run func(report func(T))) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		open := true
		run(func(v T) { open = open && yield(v, nil) })
	}
}

// failed is a list that could not be read.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// flatten gives the rows that become of each row.
func flatten[T, U any](rows iter.Seq2[T, error], become func(T) []U) iter.Seq2[U, error] {
	return func(yield func(U, error) bool) {
		for row, err := range rows {
			if err != nil {
				failed[U](err)(yield)
				return
			}
			for _, u := range become(row) {
				if !yield(u, nil) {
					return
				}
			}
		}
	}
}

// concat gives the rows of several lists, one after the other.
func concat[T any](lists ...iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, rows := range lists {
			for row, err := range rows {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}
