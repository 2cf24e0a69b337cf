package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// effective is one setting as it is in force.
type effective struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"` // null when unset
	Source string  `json:"source"`
}

func newConfigCommand(p *program) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "config",
		Short: "print every setting in force, and where it comes from; secrets are masked",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := p.configuration(c, nil)
			if printErr := printConfig(p, l.effective(), asJSON); printErr != nil {
				return printErr
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	addSettings(c, nil)
	return c
}

// effective lists the settings in the order of the struct.
func (l *loaded) effective() []effective {
	list := make([]effective, 0, len(settings))
	for _, s := range settings {
		e := effective{Name: s.env(), Source: l.source[s.key]}
		if e.Source == "" {
			e.Source = "unset"
		}
		if text := masked(s, formatValue(l.field(s))); text != "" && e.Source != "unset" {
			e.Value = &text
		}
		list = append(list, e)
	}
	return list
}

func printConfig(p *program, list []effective, asJSON bool) error {
	if asJSON {
		return writeJSON(p.out, list)
	}
	table := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, e := range list {
		value := "-"
		if e.Value != nil {
			value = *e.Value
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Name, value, e.Source)
	}
	return table.Flush()
}
