package forecast

import (
	"slices"
	"time"
)

// Sample is what a pool has at one moment.
type Sample struct {
	// Allocated is the number of addresses in use.
	Allocated float64
	// Blocks is the number of claimed blocks; NaN where it is not known.
	Blocks float64
}

// Limits is what a pool can hold at most.
type Limits struct {
	// Addresses is size − reserved, in addresses.
	Addresses float64
	// Blocks is how many blocks can ever be claimed; NaN where it is not known.
	Blocks float64
}

// Refusal is why there is no forecast, in snake_case, fit for the attribute of a metric. It is empty where there is a forecast.
type Refusal string

const (
	// RefusalNoLimit is given where no address of the pool is usable or the limit is not known: nothing can be reached then.
	RefusalNoLimit Refusal = "no_limit"
	// RefusalStale is given where the newest sample is not of the last hour, or lies in the future.
	RefusalStale Refusal = "stale"
	// RefusalShortHistory is given where there are too few samples, or they cover less than a day and a half.
	RefusalShortHistory Refusal = "short_history"
	// RefusalFalling is given where the pool gets emptier.
	RefusalFalling Refusal = "falling"
	// RefusalFlat is given where the pool grows too little to tell it from its usual ups and downs; a single step is flat.
	RefusalFlat Refusal = "flat"
	// RefusalPoorFit is given where the pool grows, but so unevenly that no straight line describes it.
	RefusalPoorFit Refusal = "poor_fit"
	// RefusalBeyondHorizon is given where the pool grows, but would be full later than the history can tell.
	RefusalBeyondHorizon Refusal = "beyond_horizon"
)

var refusals = []Refusal{
	RefusalNoLimit, RefusalStale, RefusalShortHistory, RefusalFalling, RefusalFlat, RefusalPoorFit, RefusalBeyondHorizon,
}

// Refusals returns all reasons there are, those that are found first before the others. The caller may keep the slice.
func Refusals() []Refusal { return slices.Clone(refusals) }

// Binding is the limit that a pool reaches first. It is empty where there is no forecast.
type Binding string

const (
	// BindingAddresses means that no address will be free.
	BindingAddresses Binding = "addresses"
	// BindingBlocks means that no block will be left to claim: a new node gets none of its own, and others no further one.
	// Addresses of the blocks that are claimed may still be free then.
	BindingBlocks Binding = "blocks"
)

// Forecast is when a pool will be full, or why that is not known.
type Forecast struct {
	// Refusal is why there is no forecast; empty where there is one.
	Refusal Refusal
	// Earliest, Expected and Latest are when the pool is full, in this order and never in the past; zero where there is a Refusal. All three are now
	// where it is full, and all are later where it is not. Latest is zero too where the slow end of the trend does not fill the pool.
	Earliest, Expected, Latest time.Time
	// Growth is the trend of the allocated addresses, or that of a surge or of now where these tell more, in addresses an hour, negative where they get
	// fewer. It means something only where Grows.
	Growth float64
	// Grows is set where Growth is known. It can be known without a forecast: a flat or falling trend has an honest growth.
	Grows bool
	// Binding is the limit that is reached first.
	Binding Binding
}
