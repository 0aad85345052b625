package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
)

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "shardlift",
		Short: "Move live MySQL databases into a sharded MySQL middleware",
		Long: `shardlift moves live MySQL databases into a sharded MySQL middleware without downtime.

TASK is a name or an id. The usual way:
  shardlift init task.yaml            write a task file and fill it in
  shardlift grants -f task.yaml       statements that create the accounts
  shardlift create -f task.yaml       then: precheck, confirm, start, watch, compare, stop

Exit status: 0 ok, 1 failed, 2 usage or wrong input, 3 refused in this state, 4 check failed,
inconsistent or incomplete, 5 timeout, 6 server unreachable or outcome unknown.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.Usage.New("", "%v", err).WithRemedy("see `%s --help`", cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.server, "server", "", "base URL of shardlift-web (SHARDLIFT_SERVER, default http://127.0.0.1:8080)")
	flags.StringVar(&a.tokenFile, "token-file", "", "file with the API token (SHARDLIFT_TOKEN_FILE, default token in SHARDLIFT_DATA, ./data)")
	flags.StringVar(&a.as, "actor", "", "who acts, for the task's history (SHARDLIFT_ACTOR, default: the user of this machine)")
	flags.StringVarP(&a.output, "output", "o", formatTable, "table, or json: JSON on standard output, everything else on standard error")
	flags.DurationVar(&a.timeout, "timeout", 0, "give up after this time with exit status 5, e.g. 30s or 2h (default: no limit)")
	root.AddGroup(
		&cobra.Group{ID: groupPrepare, Title: "Before there is a task:"}, &cobra.Group{ID: groupTask, Title: "A task's life:"},
		&cobra.Group{ID: groupLook, Title: "Looking at tasks:"}, &cobra.Group{ID: groupSystem, Title: "The installation:"})
	root.SetHelpCommandGroupID(groupSystem)
	root.SetCompletionCommandGroupID(groupSystem)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupPrepare, a.initCommand(), a.grantsCommand(), a.testCommand(), a.createCommand(), a.cloneCommand(), a.exportCommand(),
		a.objectsCommand())
	add(groupTask, a.editCommand(), a.precheckCommand(), a.confirmCommand(), a.startCommand(), a.rescheduleCommand(),
		a.pauseCommand(), a.resumeCommand(), a.retryCommand(), a.recopyCommand(), a.dropCommand(), a.addCommand(), a.setCredentialsCommand(), a.limitCommand(), a.compareCommand(),
		a.stopCommand(), a.resetCommand(), a.deleteCommand(), a.batchCommand())
	add(groupLook, a.listCommand(), a.showCommand(), a.tablesCommand(), a.comparisonsCommand(), a.watchCommand(), a.waitCommand(),
		a.reportCommand(), a.logsCommand(), a.historyCommand())
	add(groupSystem, a.doctorCommand(), a.keysCommand(), a.versionCommand())
	return root
}

const (
	groupPrepare = "prepare"
	groupTask    = "task"
	groupLook    = "look"
	groupSystem  = "system"
)

// oneTask takes exactly one argument, the task.
func oneTask(cmd *cobra.Command, args []string) error { return taskAnd(0)(cmd, args) }

// taskAnd takes a task and up to more arguments.
func taskAnd(more int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return usageOf(cmd, "TASK is missing: a name or an id (`shardlift list` shows them)")
		case len(args) > 1+more:
			return usageOf(cmd, fmt.Sprintf("unexpected argument %q", args[1+more]))
		}
		return nil
	}
}

// noTask takes no argument.
func noTask(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageOf(cmd, fmt.Sprintf("unexpected argument %q", args[0]))
	}
	return nil
}

func usageOf(cmd *cobra.Command, message string) error {
	return fault.Usage.New("", "%s", message).WithRemedy("see `%s --help`", cmd.CommandPath())
}

func taskFileFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "file", "f", "", "task file; - is standard input")
}

// configureFlags are those of commands that send a task file.
func (a *app) configureFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.draft, "draft", false, "endpoints and objects may be missing yet")
	cmd.Flags().StringVar(&a.objectList, "objects", "", "file with one schema.table a line: these tables, and no others")
}

func yesFlag(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask (needed where no terminal is)")
}
