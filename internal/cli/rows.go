package cli

import "iter"

// rowsOf is a list as it comes from Twilio or from this machine.
type rowsOf[T any] = iter.Seq2[T, error]

// collect reads all of a list; with an error it gives what was read before it.
func collect[T any](rows rowsOf[T]) ([]T, error) {
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
func each[T any](values []T) rowsOf[T] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// limited ends rows after limit of them; 0 is no limit.
func limited[T any](limit int, rows rowsOf[T]) rowsOf[T] {
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
func resultsOf[T any](run func(report func(T))) rowsOf[T] {
	return func(yield func(T, error) bool) {
		open := true
		run(func(v T) { open = open && yield(v, nil) })
	}
}

// matching gives the rows that fit.
func matching[T any](rows rowsOf[T], fits func(T) bool) rowsOf[T] {
	return func(yield func(T, error) bool) {
		for v, err := range rows {
			if (err != nil || fits(v)) && !yield(v, err) {
				return
			}
		}
	}
}

// failed is a list that could not be read.
func failed[T any](err error) rowsOf[T] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// flatten gives the rows that become of each row.
func flatten[T, U any](rows rowsOf[T], become func(T) []U) rowsOf[U] {
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
func concat[T any](lists ...rowsOf[T]) rowsOf[T] {
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
