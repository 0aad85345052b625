package main

import (
	"context"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) recopyCommand() *cobra.Command {
	var tables []string
	var confirmed bool
	cmd := &cobra.Command{
		Use: "recopy TASK --table SCHEMA.TABLE", Short: "copy a parked table anew", Args: oneTask,
		Long: `Copy a parked table anew: from a new start position, each chunk deletes its range on the destination
first. Then it catches up and returns to the task, which goes on meanwhile.`,
		Example: "  shardlift recopy shop-to-ddm --table Shop.orders",
		RunE: a.action(func(ctx context.Context, args []string) error {
			return a.changeTables(ctx, args[0], api.TablesCommandKindRecopy, tables, confirmed)
		}),
	}
	tablesFlag(cmd, &tables)
	fenceFlag(cmd, &confirmed)
	return cmd
}

func (a *app) dropCommand() *cobra.Command {
	var tables []string
	var confirmed, yes bool
	cmd := &cobra.Command{
		Use: "drop TASK --table SCHEMA.TABLE", Short: "leave a parked table out of the task", Args: oneTask,
		Long: `Leave a parked table out of the task for good. Its rows on the destination stay as they are, and the
report names it.`,
		Example: "  shardlift drop shop-to-ddm --table Shop.orders --yes",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if len(tables) > 0 {
				if err := a.consent(yes, "Leave the table out of "+args[0]+" for good? Its rows on the destination stay as they are."); err != nil {
					return err
				}
			}
			return a.changeTables(ctx, args[0], api.TablesCommandKindDrop, tables, confirmed)
		}),
	}
	tablesFlag(cmd, &tables)
	fenceFlag(cmd, &confirmed)
	yesFlag(cmd, &yes)
	return cmd
}

func (a *app) addCommand() *cobra.Command {
	var table, to, list string
	cmd := &cobra.Command{
		Use: "add TASK --table SCHEMA.TABLE [--to SCHEMA.TABLE] | --objects FILE", Short: "add tables to a running task", Args: oneTask,
		Long: `Add tables to a task that applies changes. The pre-check runs on these tables, a failure refuses the
command; then they are copied, catch up and become part of the task, which goes on meanwhile. Without --to
a table goes where the task's rules send its schema, under its own name; it must exist there.`,
		Example: "  shardlift add shop-to-ddm --table Shop.coupons\n  shardlift add shop-to-ddm --table crm.people --to shop_ddm.people\n  shardlift add shop-to-ddm --objects more.txt",
		RunE: a.action(func(ctx context.Context, args []string) error {
			if (table == "") == (list == "") {
				return fault.Usage.New("", "give one of --table SCHEMA.TABLE and --objects FILE")
			}
			if list == "" {
				return a.addOne(ctx, args[0], table, to)
			}
			if to != "" {
				return fault.Usage.New("--to", "belongs to --table")
			}
			objects, err := a.readObjectList(list)
			if err != nil {
				return err
			}
			refs := make([]api.TableRef, 0, len(objects))
			for _, o := range objects {
				refs = append(refs, api.TableRef{Schema: o.schema, Table: o.table})
			}
			return a.sendTables(ctx, args[0], api.TablesCommand{Kind: api.TablesCommandKindAdd, Tables: refs})
		}),
	}
	cmd.Flags().StringVar(&table, "table", "", "the table on the source, SCHEMA.TABLE; a name with a dot in backquotes")
	cmd.Flags().StringVar(&to, "to", "", "its name on the destination, SCHEMA.TABLE")
	cmd.Flags().StringVar(&list, "objects", "", "file with one schema.table a line, at most 100")
	return cmd
}

func (a *app) addOne(ctx context.Context, task, table, to string) error {
	from, ok := parseObject(table)
	if !ok {
		return fault.Usage.New("--table", "%q: want SCHEMA.TABLE", table)
	}
	ref := api.TableRef{Schema: from.schema, Table: from.table}
	if to != "" {
		there, ok := parseObject(to)
		if !ok {
			return fault.Usage.New("--to", "%q: want SCHEMA.TABLE", to)
		}
		ref.ToSchema, ref.ToTable = &there.schema, &there.table
	}
	return a.sendTables(ctx, task, api.TablesCommand{Kind: api.TablesCommandKindAdd, Tables: []api.TableRef{ref}})
}

func tablesFlag(cmd *cobra.Command, tables *[]string) {
	cmd.Flags().StringArrayVar(tables, "table", nil, "a parked table, SCHEMA.TABLE; may be given again")
}

func (a *app) changeTables(ctx context.Context, task string, kind api.TablesCommandKind, tables []string, confirmed bool) error {
	if len(tables) == 0 {
		return fault.Usage.New("--table", "name at least one parked table (`shardlift tables TASK` shows them)")
	}
	body := api.TablesCommand{Kind: kind, FenceConfirmed: filled(confirmed)}
	for _, t := range tables {
		o, ok := parseObject(t)
		if !ok {
			return fault.Usage.New("--table", "%q: want SCHEMA.TABLE", t)
		}
		body.Tables = append(body.Tables, api.TableRef{Schema: o.schema, Table: o.table})
	}
	return a.sendTables(ctx, task, body)
}

func (a *app) sendTables(ctx context.Context, task string, body api.TablesCommand) error {
	return command(ctx, a, task, string(body.Kind)+" accepted", func(c *api.ClientWithResponses) (*api.ChangeTablesResponse, error) {
		return c.ChangeTablesWithResponse(ctx, task, &api.ChangeTablesParams{IdempotencyKey: a.idempotencyKey()}, body)
	})
}
