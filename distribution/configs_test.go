package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	linkedFile = regexp.MustCompile(`\(([a-z0-9/-]+\.yaml)\)`)
	namedTest  = regexp.MustCompile("`(Test[A-Za-z]+)`")
)

// TestEveryPublishedFileIsRunByTheTestsThatItsTableNames compares the table with the files, and with what the tests' packages read.
func TestEveryPublishedFileIsRunByTheTestsThatItsTableNames(t *testing.T) {
	page, err := os.ReadFile("../configs/README.md")
	require.NoError(t, err)
	packages := testPackages(t)
	listed := map[string]bool{}
	for _, row := range strings.Split(string(page), "\n") {
		tests := namedTest.FindAllStringSubmatch(row, -1)
		for _, file := range linkedFile.FindAllStringSubmatch(row, -1) {
			listed[filepath.Join("../configs", file[1])] = true
			require.NotEmpty(t, tests, file[1])
			for _, test := range tests {
				runs := slices.ContainsFunc(packages, func(source string) bool {
					return strings.Contains(source, "func "+test[1]+"(t *testing.T)") && strings.Contains(source, file[1])
				})
				require.True(t, runs, "%s is in a package that reads %s", test[1], file[1])
			}
		}
	}
	require.Equal(t, slices.Sorted(slices.Values(append(published(t, "*.yaml"), published(t, "*/*.yaml")...))), slices.Sorted(maps.Keys(listed)))
}

// testPackages are the sources of each package of tests on real parts.
func testPackages(t *testing.T) []string {
	t.Helper()
	directories, err := filepath.Glob("../test/*")
	require.NoError(t, err)
	var sources []string
	for _, directory := range directories {
		files, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
		require.NoError(t, err)
		var source strings.Builder
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			source.Write(content)
		}
		sources = append(sources, source.String())
	}
	return sources
}
