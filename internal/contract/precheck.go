package contract

import (
	"time"

	"shardlift/internal/selection"
)

// Verdict is the outcome of a pre-check item.
type Verdict string

// The verdicts (drs.md PC-M1). Waiting and Running are states before one.
const (
	Passed  Verdict = "PASSED"
	Alarm   Verdict = "ALARM"
	Failed  Verdict = "FAILED"
	Waiting Verdict = "WAITING"
	Running Verdict = "RUNNING"
)

// PrecheckItemRef names an item and what must have passed before it can run.
type PrecheckItemRef struct {
	Code  string   `json:"code"`
	Group string   `json:"group"`
	Title string   `json:"title"`
	Needs []string `json:"needs,omitempty"`
	// Applies says which tasks have the item: "full, full+incremental" or "full+incremental".
	Applies string `json:"applies,omitempty"`
	// Skippable: a failure may be skipped with a reason, because the task would
	// stop rather than lose or change a row.
	Skippable bool `json:"skippable,omitempty"`
	// Page is the item's page, "docs/precheck/<code>.md".
	Page string `json:"page,omitempty"`
	// Tables: the item looks at tables, so that it is run for tables that join later.
	Tables bool `json:"tables,omitempty"`
	// Together: it looks at how tables fit together, so that it then needs those of the task, too.
	Together bool `json:"together,omitempty"`
}

// PrecheckItemIn runs one item.
type PrecheckItemIn struct {
	TaskRef
	Code string `json:"code"`
	// AfterReset: a destination with rows is an alarm, not a failure.
	AfterReset bool `json:"after_reset,omitempty"`
	// Objects are looked at instead of the task's own: tables that are about to join it.
	Objects selection.Selection `json:"objects,omitempty"`
}

// PrecheckItemResult is one item's outcome. Reason, Evidence and Remedy hold no
// host, user or row value: remedies say <user>, which web fills in.
type PrecheckItemResult struct {
	Code     string   `json:"code"`
	Group    string   `json:"group"`
	Title    string   `json:"title"`
	Verdict  Verdict  `json:"verdict"`
	Reason   string   `json:"reason,omitempty"`
	Evidence []string `json:"evidence,omitempty"` // at most 10 lines of 200 characters
	Remedy   string   `json:"remedy,omitempty"`
	// Facts is set by the two connection items.
	Facts *ServerFacts `json:"facts,omitempty"`
	// Confirmed says who confirmed an alarm, when and why.
	Confirmed *Confirmation `json:"confirmed,omitempty"`
	// Skipped says who skipped a failure, when and why.
	Skipped *Confirmation `json:"skipped,omitempty"`
	// Applies, Skippable, Page and Needs are those of PrecheckItemRef.
	Applies   string   `json:"applies,omitempty"`
	Skippable bool     `json:"skippable,omitempty"`
	Page      string   `json:"page,omitempty"`
	Needs     []string `json:"needs,omitempty"`
	// WaitsFor are those of Needs that have not ended; in reports only.
	WaitsFor []string `json:"waits_for,omitempty"`
}

// Confirmation of an alarm, or the reason why a failure is skipped.
type Confirmation struct {
	Actor string    `json:"actor"`
	At    time.Time `json:"at"`
	Note  string    `json:"note"`
}

// PrecheckSummary is the short form on a task's page. State: none, running, done, expired.
type PrecheckSummary struct {
	State       string     `json:"state"`
	Revision    int        `json:"revision"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	PassedRate  int        `json:"passed_rate"` // percent of items passed or confirmed
	Failed      int        `json:"failed"`
	Alarms      int        `json:"alarms"`
	Unconfirmed int        `json:"unconfirmed"`
	Skipped     int        `json:"skipped,omitempty"` // failures that somebody skipped, with a reason
	// Percent of the items that have ended; 100 when none is running or waiting.
	Percent int `json:"percent"`
}

// PrecheckReport answers QueryPrecheck.
type PrecheckReport struct {
	Summary PrecheckSummary      `json:"summary"`
	Items   []PrecheckItemResult `json:"items"`
}

// SamplesAnswer answers InspectSamples: keys of rows that the pre-check found,
// as they stand in the destination's metadata. They never travel unsealed.
type SamplesAnswer struct {
	Samples []RowSample `json:"samples"`
}

// RowSample is the keys of some rows that an item found in one place.
type RowSample struct {
	Item   string   `json:"item"`
	Object string   `json:"object"` // schema.table.column
	Keys   []string `json:"keys"`
}
