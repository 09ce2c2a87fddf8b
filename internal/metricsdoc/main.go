// Metricsdoc writes docs/metrics.md, one row a metric, from the metadata.yaml of the components. Formula and example of a metric are paragraphs of its
// extended_documentation, the one place for them that mdatagen leaves: it shows them in documentation.md too.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
)

func main() {
	output := flag.String("output", "docs/metrics.md", "the page to write")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: metricsdoc [-output docs/metrics.md] metadata.yaml ...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*output, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "metricsdoc:", err)
		os.Exit(1)
	}
}

// run writes the page from files, which are all below the working directory. Their order is that of the page.
func run(output string, files []string) error {
	if len(files) == 0 {
		return errors.New("no metadata.yaml is named")
	}
	root, err := os.OpenRoot(".")
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var components []component
	var failed []error
	for _, file := range files {
		content, err := root.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read metadata: %w", err)
		}
		c, err := parse(content)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", file, err))
			continue
		}
		directory, err := filepath.Rel(filepath.Dir(output), filepath.Dir(file))
		if err != nil {
			return fmt.Errorf("link to the documentation: %w", err)
		}
		c.documentation = path.Join(filepath.ToSlash(directory), "documentation.md")
		components = append(components, c)
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if err := root.WriteFile(output, []byte(page(components)), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
