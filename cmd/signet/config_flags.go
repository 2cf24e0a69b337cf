package main

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// addSettings gives a command every setting as a flag, so that the same command line works everywhere, and shows in its help those it
// uses (nil: all). A flag of the command's own keeps its name: `token verify --issuer` takes any issuer.
func addSettings(c *cobra.Command, uses []string) {
	flags := c.Flags()
	flags.String(configKey, "", "YAML file with settings")
	flags.SortFlags = false
	for _, s := range settings {
		if flags.Lookup(s.flag()) != nil {
			continue
		}
		help := s.help
		if s.preset != "" {
			help += " (default: " + s.preset + ")"
		}
		if s.isList {
			flags.StringArray(s.flag(), nil, help)
		} else {
			flags.String(s.flag(), "", help)
		}
		if s.ofField.Kind() == reflect.Bool {
			flags.Lookup(s.flag()).NoOptDefVal = "true"
		}
		mark(flags, s.flag())
		shown := uses == nil || slices.Contains(uses, s.key)
		flags.Lookup(s.flag()).Hidden = !shown
		if s.secret {
			flags.String(s.flag()+"-file", "", "file with the value of --"+s.flag())
			flags.Lookup(s.flag() + "-file").Hidden = !shown
		}
	}
}

// settingFlag marks a flag that is a setting, as opposed to a command's own of the same name.
const settingFlag = "setting"

func mark(flags *pflag.FlagSet, name string) {
	flags.Lookup(name).Annotations = map[string][]string{settingFlag: nil}
}

// configuration loads the settings that a command uses (nil: all) and prints the warnings.
func (p *program) configuration(c *cobra.Command, uses []string) (*loaded, error) {
	l, err := p.loadFor(c, uses)
	p.printWarnings(c, l)
	return l, err
}

func (p *program) printWarnings(c *cobra.Command, l *loaded) {
	for _, w := range l.warnings {
		fmt.Fprintf(p.err, "%s: warning: %s\n", c.CommandPath(), w)
	}
}

// loadFor loads the settings that a command uses (nil: all): its flags, the environment, the file.
func (p *program) loadFor(c *cobra.Command, uses []string) (*loaded, error) {
	in := input{flags: layer{}, environ: p.environ}
	in.file, _ = c.Flags().GetString(configKey)
	for _, s := range settings {
		source := "flag --" + s.flag()
		f := c.Flags().Lookup(s.flag())
		switch {
		case !f.Changed || !isSetting(f):
		case s.isList && f.Value.Type() == "stringArray":
			given, _ := c.Flags().GetStringArray(s.flag())
			value := raw{source: source}
			for _, one := range given {
				value.list = append(value.list, raw{text: one}.items()...)
			}
			if slices.Equal(value.list, []string{""}) {
				value.list = nil // --allowed-origins= takes back what the file says
			}
			in.flags[s.key] = value
		default:
			in.flags[s.key] = raw{text: f.Value.String(), source: source}
		}
		if twin := c.Flags().Lookup(s.flag() + "-file"); s.secret && twin.Changed {
			in.flags[s.key+twinSuffix] = raw{text: twin.Value.String(), source: "flag --" + twin.Name}
		}
	}
	return load(in, uses)
}

func isSetting(f *pflag.Flag) bool {
	_, marked := f.Annotations[settingFlag]
	return marked
}
