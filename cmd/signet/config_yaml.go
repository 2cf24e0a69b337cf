package main

import (
	"fmt"
	"path/filepath"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// yamlLimit is far above a file of every setting.
const yamlLimit = 1 << 20

// readYAMLFile reads the flat file that --config names.
func readYAMLFile(path string) (layer, faults) {
	data, err := readSmallFile(path, yamlLimit)
	if err != nil {
		return nil, faults{{Setting: envPrefix + "CONFIG", Source: "--config", Value: path, Expected: "a readable YAML file: " + plainCause(err)}}
	}
	return parseYAML(filepath.Base(path), data)
}

// parseYAML takes a flat mapping of setting to scalar, or to a sequence of scalars where the setting is a list. It reads the syntax tree,
// not values, so that a value is what was typed (`012` stays `012`) and every fault has its line.
func parseYAML(name string, data []byte) (found layer, wrong faults) {
	whole := func(expected string) faults { return faults{{Setting: name, Source: "--config", Expected: expected}} }
	defer func() {
		// The parser has panicked on malformed input before; a configuration file must never end in a stack trace.
		if recover() != nil {
			found, wrong = nil, whole("YAML that can be parsed")
		}
	}()
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, whole("YAML that can be parsed") // the parser's message quotes the lines around, secrets included
	}
	found = layer{}
	documents := 0
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		if documents++; documents > 1 {
			return nil, whole("one YAML document")
		}
		var values []*ast.MappingValueNode
		switch body := document.Body.(type) {
		case *ast.MappingNode:
			values = body.Values
		case *ast.MappingValueNode:
			values = []*ast.MappingValueNode{body}
		case *ast.CommentGroupNode, *ast.NullNode:
		default:
			return nil, whole("lines of the form `setting: value`")
		}
		for _, entry := range values {
			wrong = append(wrong, found.addYAML(name, entry)...)
		}
	}
	return found, wrong
}

// addYAML adds one line of the mapping.
func (l layer) addYAML(name string, entry *ast.MappingValueNode) faults {
	key, ok := scalarText(entry.Key)
	source := fmt.Sprintf("%s:%d", name, entry.Key.GetToken().Position.Line)
	if !ok {
		return faults{{Setting: name, Source: source, Expected: "a setting's name before the colon"}}
	}
	s, twin := byKeyOrTwin(key)
	if s == nil {
		return faults{{Setting: quoteShort(shownName(key)), Source: source, Expected: "a known setting" + suggestion(key, func(k string) string { return k })}}
	}
	setting := s.env()
	if twin {
		setting += "_FILE"
	}
	if earlier, twice := l[key]; twice {
		return faults{{Setting: setting, Source: source, Expected: "each setting once, and it is at " + earlier.source + " already"}}
	}
	if list, isList := sequenceTexts(entry.Value); isList {
		l[key] = raw{list: list, source: source}
		return nil
	}
	text, ok := scalarText(entry.Value)
	if !ok {
		return faults{{Setting: setting, Source: source, Expected: "a plain value: no mapping, anchor, alias or tag, and not empty"}}
	}
	l[key] = raw{text: text, source: source}
	return nil
}

// scalarText is a scalar as it was typed; false for anything else, null included.
func scalarText(n ast.Node) (string, bool) {
	switch node := n.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return node.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// sequenceTexts takes a sequence of scalars.
func sequenceTexts(n ast.Node) ([]string, bool) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(sequence.Values))
	for _, value := range sequence.Values {
		text, ok := scalarText(value)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}
