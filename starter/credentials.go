package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"shardlift/internal/fault"
	"shardlift/web/api"
)

func (a *app) setCredentialsCommand() *cobra.Command {
	var side, user, file, variable string
	cmd := &cobra.Command{
		Use: "set-credentials TASK --side SIDE", Short: "replace user and password of one side", Args: oneTask,
		Long: `Replace password, and with --user the account, of one side. The task goes on with new connections.
Without --password-file and --password-env a terminal is asked.`,
		Example: "  shardlift set-credentials shop-to-ddm --side source --password-file /run/secrets/src\n  shardlift set-credentials shop-to-ddm --side destination --user mover --password-env DST_PW",
		RunE: a.action(func(ctx context.Context, args []string) error {
			of := api.CredentialsCommandSide(side)
			if !of.Valid() {
				return fault.Usage.New("--side", "want source or destination")
			}
			password, err := a.newPassword(side, file, variable)
			if err != nil {
				return err
			}
			body := api.CredentialsCommand{Side: of, User: filled(user), Password: password}
			return command(ctx, a, args[0], "credentials of the "+side+" replaced", func(c *api.ClientWithResponses) (*api.SetCredentialsResponse, error) {
				return c.SetCredentialsWithResponse(ctx, args[0], &api.SetCredentialsParams{IdempotencyKey: a.idempotencyKey()}, body)
			})
		}),
	}
	cmd.Flags().StringVar(&side, "side", "", "source or destination")
	cmd.Flags().StringVar(&user, "user", "", "account (default: unchanged)")
	cmd.Flags().StringVar(&file, "password-file", "", "file that holds the password; - is standard input")
	cmd.Flags().StringVar(&variable, "password-env", "", "environment variable that holds the password")
	return cmd
}

func (a *app) newPassword(side, file, variable string) (string, error) {
	switch {
	case file != "" && variable != "":
		return "", fault.Usage.New("", "give one of --password-file and --password-env")
	case file != "":
		data, err := a.readInput(file)
		return withoutNewline(string(data)), err
	case variable != "":
		password := a.env(variable)
		if password == "" {
			return "", fault.Usage.New("--password-env", "the environment variable %s is empty or not set", variable)
		}
		return password, nil
	case !a.asks:
		return "", fault.Usage.New("", "give --password-file or --password-env")
	}
	fmt.Fprintf(a.errOut, "New password of the %s: ", side)
	password, err := a.readPassword()
	fmt.Fprintln(a.errOut)
	if err != nil {
		return "", fault.FileUnusable.Wrap(err, "terminal")
	}
	return password, nil
}
