package prompt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// View draws what a screen shows, on a terminal of a width in cells.
type View func(width int) string

// Screen shows one view after the other on the whole terminal, as they come, until q is pressed or there are no more. Ctrl-C and
// the end of ctx interrupt it. What does not fit is cut off below.
func (p *Prompter) Screen(ctx context.Context, views <-chan View) error {
	end, err := tea.NewProgram(screen{views: views}, tea.WithContext(ctx), tea.WithInput(p.in), tea.WithOutput(p.out),
		tea.WithAltScreen(), tea.WithoutSignalHandler()).Run()
	switch last, ok := end.(screen); {
	case ctx.Err() != nil, ok && last.interrupted:
		return &verify.Error{Kind: verify.KindInterrupted, Message: "interrupted"}
	case err != nil && !errors.Is(err, tea.ErrInterrupted):
		return fmt.Errorf("the screen could not be shown: %w", err)
	}
	return nil
}

// screen is the model of a [Prompter.Screen].
type screen struct {
	views         <-chan View
	view          View
	width, height int
	interrupted   bool
}

// Init waits for the first view.
func (s screen) Init() tea.Cmd { return s.next }

func (s screen) next() tea.Msg {
	view, ok := <-s.views
	if !ok {
		return tea.Quit()
	}
	return view
}

// Update takes a new view, a new size or a key.
func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case View:
		s.view = msg
		return s, s.next
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.KeyMsg:
		s.interrupted = msg.String() == "ctrl+c"
		if s.interrupted || msg.String() == "q" {
			return s, tea.Quit
		}
	}
	return s, nil
}

// View cuts off below what the terminal has no room for.
func (s screen) View() string {
	if s.view == nil || s.width == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimRight(s.view(s.width), "\n"), "\n")
	if over := len(lines) - s.height; over > 0 && s.height > 0 {
		lines = append(lines[:s.height-1], fmt.Sprintf("… %d more lines on a taller terminal", over+1))
	}
	return strings.Join(lines, "\n")
}
