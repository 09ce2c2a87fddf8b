// Package state is the file by which a running lab tells other programs where everything is.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const fileName = "lab.json"

// State is the content of lab.json. The file exists only while the lab is ready.
type State struct {
	// Layout is how Calico was installed, or bare where it was not.
	Layout              string      `json:"layout"`
	StateDir            string      `json:"state_dir"`
	BinDir              string      `json:"bin_dir"`
	AdminKubeconfig     string      `json:"admin_kubeconfig"`
	CollectorKubeconfig string      `json:"collector_kubeconfig"`
	APIServerURL        string      `json:"apiserver_url"`
	PrometheusURL       string      `json:"prometheus_url"`
	Components          []Component `json:"components"`
	Felix               string      `json:"felix"`
	Pools               []Pool      `json:"pools"`
	// Pids are those of the parts that have a process: neither of one that is stopped nor of one that waits for its restart.
	Pids map[string]int `json:"pids"`
}

// Component is a Calico component that serves metrics at http://<address>/metrics, until somebody configures another port.
type Component struct {
	Job       string `json:"job"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Node      string `json:"node"`
	Address   string `json:"address"`
}

// Pool names an IP pool.
type Pool struct {
	Name string `json:"name"`
	CIDR string `json:"cidr"`
}

// FelixRunning is State.Felix where Felix was not left out.
const FelixRunning = "running"

// Write puts the state into dir in one step: a reader sees all of it or nothing.
func (s State) Write(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", fileName, err)
	}
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", fileName, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", fileName, err)
	}
	return nil
}

// Read returns the state of the lab in dir. Its error says how to get one if there is none.
func Read(dir string) (State, error) {
	content, err := os.ReadFile(filepath.Join(dir, fileName))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, fmt.Errorf("no lab is ready in --state %s: start one with `lab up --state %s`", dir, dir)
	} else if err != nil {
		return State{}, fmt.Errorf("read the state: %w", err)
	}
	var s State
	if err := json.Unmarshal(content, &s); err != nil {
		return State{}, fmt.Errorf("decode %s in --state %s: %w", fileName, dir, err)
	}
	return s, nil
}

// Remove says that the lab in dir is no longer ready.
func Remove(dir string) error {
	if err := os.Remove(filepath.Join(dir, fileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the state: %w", err)
	}
	return nil
}
