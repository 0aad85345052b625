package main

import (
	"time"

	"shardlift/web/api"
)

// at is a time of the examples.
func at(minute int) *time.Time { return new(time.Date(2026, 11, 24, 6, minute, 0, 0, time.UTC)) }

func exampleTask() api.Task {
	t := api.Task{
		Schema: "shardlift.task/v1", ID: "0193a1b2c3d4", Name: "shop-to-ddm", Description: "shop cutover", Type: "full+incremental", Revision: 7,
		Status: "FULL_TRANSFER_STARTED", StatusLabel: "Full migration", StatusSince: at(5), Phase: "full", CreatedAt: at(0), StartedAt: at(4), WorkerGroup: new("default"),
		Source:           api.Server{Kind: new("mysql"), Version: new("9.7.4"), Endpoint: "10.0.0.5:3306", User: "shardlift"},
		Destination:      api.Server{Kind: new("ddm"), Endpoint: "ddm.internal:5066", User: "shardlift"},
		AvailableActions: []string{"pause", "stop", "force-stop"}, UnavailableActions: []api.UnavailableAction{{Action: "delete", Reason: "stop the task first"}},
		Precheck: api.PrecheckSummary{State: "done", Revision: 7, ExpiresAt: at(59), PassedRate: new(100), Alarms: 2},
		Full: api.FullProgress{
			Percent: new(42), RowsDone: new(int64(210_000)), RowsEstimated: new(int64(500_000)), BytesDone: new(int64(84_000_000)), BytesEstimated: new(int64(200_000_000)),
			RowsPerSecond: new(8412.5), BytesPerSecond: new(3_400_000.0), RemainingSeconds: new(int64(34)),
		},
		Tables:   api.TableCounts{Total: new(6), Waiting: new(1), Copying: new(2), Copied: new(3), Applying: new(0), Parked: new(0)},
		Limits:   &api.Limits{MbPerSecond: new(20), RowsPerSecond: new(5000)},
		Warnings: []string{"the binlog of the source is purged in 3 h; keep it for longer, because a task that is paused for longer than the source keeps its binlog can only be reset"},
		Tags:     map[string]string{"team": "payments", "env": "prod"},
	}
	t.Sequences.State, t.Sequences.Total = "pending", 3
	t.Temporal.WorkflowID, t.Temporal.RunID = "migration/0193a1b2c3d4", "r1"
	t.Temporal.URL = "http://127.0.0.1:8233/namespaces/shardlift/workflows/migration%2F0193a1b2c3d4"
	return t
}

// toIncremental makes a task that applies changes.
func toIncremental(t *api.Task) {
	t.Status, t.StatusLabel, t.Phase = "INCRE_TRANSFER_STARTED", "Incremental migration", "incremental"
	t.Full.Percent, t.Full.RowsPerSecond, t.Full.BytesPerSecond, t.Full.RemainingSeconds = new(100), nil, nil, nil
	t.Incremental = api.Incremental{
		Synced: new(true), Mode: new("strict"), DelayMs: new(int64(140)), RowsPerSecond: new(812.0), TransactionsPerSecond: new(302.4), Divergences: new(int64(0)),
		Applied: &api.Position{File: "binlog.000004", Position: 1200}, SourceHead: &api.Position{File: "binlog.000004", Position: 1234}, GapBytes: new(int64(34)),
	}
}

// toFailed makes a task that waits for somebody.
func toFailed(t *api.Task) {
	t.Status, t.StatusLabel = "FULL_TRANSFER_FAILED", "Full migration failed"
	t.LastError = &api.TaskError{
		Code: "SL-2003", Class: "operator", Object: "source", Message: "access was denied", Remedy: "check user, password and the privileges that the pre-check names, then resume", Attempt: 1,
	}
	t.AvailableActions = []string{"resume", "retry", "stop", "reset"}
}

// toParked makes a task that goes on without a table.
func toParked(t *api.Task) {
	toIncremental(t)
	t.Tables.Applying, t.Tables.Copied, t.Tables.Parked = new(5), new(0), new(1)
	t.Groups = &[]api.TableGroup{{
		No: 1, Tables: []api.GroupedTable{{Schema: "Shop", Table: "orders"}}, State: "parked", Since: *at(20), Position: &api.Position{File: "binlog.000004", Position: 900},
		Error: &api.TaskError{Code: "SL-3004", Class: "operator", Object: "Shop.orders", Message: "the destination refuses a value", Remedy: "change the table on the destination, then retry", Attempt: 1},
	}}
	t.Alarms = &[]api.TaskAlarm{{Kind: "parked", Text: "Shop.orders is parked: SL-3004 the destination refuses a value", At: *at(20)}}
}

// toEnded makes a task that is complete.
func toEnded(t *api.Task) {
	toIncremental(t)
	t.Status, t.StatusLabel, t.Phase, t.EndedAt = "RELEASE_RESOURCE_COMPLETE", "Completed", "done", at(30)
	t.AvailableActions = []string{"delete"}
}

// same leaves the task as it is for one look.
func same(*api.Task) {}

func exampleReport() api.Report {
	r := api.Report{
		Tables: 6, RowsCopied: 500_000, RowsApplied: 31_337, WritesAfterStop: "none", OpenTransactions: new(0), StopPosition: &api.Position{File: "binlog.000005", Position: 99}, Warnings: []string{}, At: *at(30),
	}
	r.Sequences.State, r.Sequences.Refreshed, r.Sequences.Total = "done", 3, 3
	return r
}

func exampleComparison() api.Comparison {
	return api.Comparison{
		ID: "c2", Type: "values", Result: "INCONSISTENT", StartedAt: at(20), FinishedAt: at(21),
		Tables: []api.ComparedTable{
			{Schema: "Shop", Table: "customers", SourceRows: new(int64(100_000)), DestinationRows: new(int64(100_000)), Result: "CONSISTENT"},
			{Schema: "Shop", Table: "orders", SourceRows: new(int64(200_000)), DestinationRows: new(int64(199_999)), Result: "INCONSISTENT", Differences: 2},
			{Schema: "Shop", Table: "audit", Result: "CAN_NOT_COMPARE"},
		},
		DifferenceRows: &[]api.Difference{{Schema: "Shop", Table: "orders", Key: "id=17", Kind: "different"}, {Schema: "Shop", Table: "orders", Key: "id=18", Kind: "only-source"}},
	}
}

func examplePrecheck() api.PrecheckReport {
	return api.PrecheckReport{
		Summary: api.PrecheckSummary{State: "done", Revision: 7, ExpiresAt: at(59), PassedRate: new(67), Failed: 1, Alarms: 1},
		Items: []api.PrecheckItem{
			{Code: "srcDbConnection", Group: "network", Title: "the source can be reached", Verdict: "PASSED", Remedy: new("nothing")},
			{
				Code: "srcGtidStatusCheck", Group: "db_params", Title: "GTID is on", Verdict: "ALARM", Reason: new("GTID is off: a switchover of the source is not survived"),
				Confirmed: &api.Confirmation{Actor: "api", At: *at(3), Note: "no failover planned"},
			},
			{
				Code: "srcDbPrivilegesIsEnoughForIncre", Group: "db_user_privilege", Title: "the source account has its rights", Verdict: "FAILED", Reason: new("REPLICATION CLIENT is missing"),
				Evidence: &[]string{"SHOW GRANTS names: SELECT"}, Remedy: new("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'shardlift'@'%';"),
				Page: new("docs/precheck/srcDbPrivilegesIsEnoughForIncre.md"),
			},
			{
				Code: "dstMaxAllowedPacketCheck", Group: "db_params", Title: "the destination takes the largest rows", Verdict: "FAILED", Reason: new("1 table has rows that are too large"),
				Skippable: new(true),
			},
			{Code: "dstStatusCheck", Group: "db_target_status", Title: "the destination can be written", Verdict: "WAITING", WaitsFor: &[]string{"dstDbConnection"}},
		},
	}
}

func exampleTables() []api.TableProgress {
	return []api.TableProgress{
		{Schema: "Shop", Table: "customers", State: "copied", RowsDone: 100_000, RowsEstimated: 98_000, Percent: 100, Compare: new("CONSISTENT")},
		{
			Schema: "Shop", Table: "a_table_whose_name_is_as_long_as_a_name_can_be_in_mysql_64_chars", State: "copying", RowsDone: 1_234_567, RowsEstimated: 2_000_000, Percent: 61,
			Error: new("SL-2001: the server cannot be reached"),
		},
	}
}

func exampleList() []api.TaskSummary {
	return []api.TaskSummary{
		{
			ID: "0193a1b2c3d4", Name: "shop-to-ddm", Type: "full+incremental", Status: "FULL_TRANSFER_STARTED", StatusLabel: "Full migration", StatusSince: at(5), Phase: "full", CreatedAt: *at(0),
			SourceEndpoint: new("10.0.0.5:3306"), DestinationEndpoint: new("ddm.internal:5066"), Tags: map[string]string{},
		},
		{
			ID: "0193a1b2c3d5", Name: "billing", Type: "full", Status: "FULL_TRANSFER_FAILED", StatusLabel: "Full migration failed", Phase: "full", CreatedAt: *at(1), Attention: "failed", ErrorCode: new("SL-2003"),
			SourceEndpoint: new("a-very-long-host-name.somewhere.internal:3306"), DestinationEndpoint: new("ddm.internal:5066"), Tags: map[string]string{},
		},
	}
}

func tested(side string, ok bool) api.TestedSide {
	if ok {
		return api.TestedSide{Side: side, Ok: true, Kind: new("mysql"), Version: new("9.7.4"), TLS: new("preferred"), Millis: 12}
	}
	return api.TestedSide{Side: side, Millis: 3000, Error: &api.TaskError{Code: "SL-2001", Object: side, Message: "the server cannot be reached", Remedy: "check address, port and firewall"}}
}
