package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"headrace/internal/app"
	"headrace/internal/core/fault"
	"headrace/internal/flow/access"
)

// passwordVariable gives a password where nobody can be asked. A password is never an argument: those are seen by
// everybody on the machine.
const passwordVariable = "HEADRACE_PASSWORD"

// withAccess opens the product around the work, with the roles and rules that ship.
func (c *console) withAccess(do func(ctx context.Context, who *access.Service, args []string) error) func(*cobra.Command, []string) error {
	return c.withApp(func(ctx context.Context, a *app.App, args []string) error {
		if err := access.Seed(ctx, a.DB); err != nil {
			return err
		}
		return do(ctx, a.Access, args)
	})
}

func (c *console) userCommand() *cobra.Command {
	return group("user", "Users: who may log in", c.userListCommand(), c.userAddCommand(), c.userPasswordCommand(),
		c.userStateCommand("activate", "Let a user in again", func(ctx context.Context, s *access.Service, name string) error { return s.SetActive(ctx, name, true) }),
		c.userStateCommand("deactivate", "Let a user in no longer; his records stay", func(ctx context.Context, s *access.Service, name string) error { return s.SetActive(ctx, name, false) }),
		c.userStateCommand("unlock", "End a lock-out after wrong passwords", func(ctx context.Context, s *access.Service, name string) error { return s.Unlock(ctx, name) }))
}

func (c *console) userListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "The users, with the roles given to them", Args: exactly()}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, _ []string) error {
		users, err := s.Users(ctx)
		if err != nil {
			return err
		}
		out := answer{value: users, header: []string{"user_name", "name", "email", "active", "locked", "roles"}}
		for _, u := range users {
			out.rows = append(out.rows, []string{u.UserName, u.Name, u.Email, strconv.FormatBool(u.Active), strconv.FormatBool(u.Locked), strings.Join(u.Roles, " ")})
		}
		return c.show(out)
	})
	return cmd
}

func (c *console) userAddCommand() *cobra.Command {
	u := access.NewUser{}
	without := false
	cmd := &cobra.Command{Use: "add NAME", Short: "Make a user; the password is asked for, or comes from standard input or " + passwordVariable,
		Args: exactly("NAME"), Example: "  headrace user add ann --first-name Ann --last-name Lee --role itil"}
	f := cmd.Flags()
	f.StringVar(&u.FirstName, "first-name", "", "first name")
	f.StringVar(&u.LastName, "last-name", "", "last name")
	f.StringVar(&u.Email, "email", "", "e-mail address")
	f.StringVar(&u.TimeZone, "time-zone", "", "where his days begin, such as Europe/Zurich (default UTC)")
	f.StringSliceVar(&u.Roles, "role", nil, "a `ROLE`, any number of times")
	f.BoolVar(&u.WebServiceOnly, "web-service-only", false, "for programs")
	f.BoolVar(&without, "no-password", false, "a user who can only come by API key or OAuth client")
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) (err error) {
		u.UserName = args[0]
		if !without {
			if u.Password, err = c.password(u.UserName); err != nil {
				return err
			}
		}
		made, err := s.CreateUser(ctx, u)
		if err != nil {
			return err
		}
		return c.done(map[string]any{"sys_id": made.ID(), "user_name": u.UserName}, "user %s made", u.UserName)
	})
	return cmd
}

// done tells of something that has no other result.
func (c *console) done(value map[string]any, format string, args ...any) error {
	if c.settings.Output == "json" || c.settings.Output == "yaml" {
		return c.show(answer{value: value})
	}
	c.note("  "+format, args...)
	return nil
}

func (c *console) userPasswordCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "password NAME", Short: "Give a user another password and end his tokens; it is asked for, or comes from standard input or " + passwordVariable,
		Args: exactly("NAME")}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) error {
		password, err := c.password(args[0])
		if err == nil {
			err = s.SetPassword(ctx, args[0], password)
		}
		if err != nil {
			return err
		}
		return c.done(map[string]any{"user_name": args[0]}, "the password of %s is changed", args[0])
	})
	return cmd
}

func (c *console) userStateCommand(verb, short string, do func(context.Context, *access.Service, string) error) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " NAME", Short: short, Args: exactly("NAME")}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) error {
		if err := do(ctx, s, args[0]); err != nil {
			return err
		}
		return c.done(map[string]any{"user_name": args[0]}, "done: %s %s", verb, args[0])
	})
	return cmd
}

// password asks twice on a terminal; elsewhere it takes the variable, or the first line of standard input.
func (c *console) password(user string) (string, error) {
	if given := os.Getenv(passwordVariable); given != "" {
		return given, nil
	}
	if isTerminal(c.in) && isTerminal(c.err) {
		return c.askPassword(user)
	}
	line, err := bufio.NewReader(io.LimitReader(c.in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fault.Wrap(fault.Unavailable, err, "standard input cannot be read")
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fault.New(fault.Invalid, "no password is given for %s", user).
			WithHint("write it to standard input, or set %s; on a terminal it is asked for", passwordVariable)
	}
	return line, nil
}

func (c *console) askPassword(user string) (string, error) {
	var given [2]string
	for i, prompt := range []string{"password of " + user + ": ", "once more: "} {
		if _, err := io.WriteString(c.err, prompt); err != nil {
			return "", err
		}
		in, ok := c.in.(*os.File)
		if !ok {
			return "", fault.New(fault.Internal, "standard input is no file")
		}
		typed, err := term.ReadPassword(int(in.Fd()))
		if _, werr := io.WriteString(c.err, "\n"); werr != nil {
			return "", werr
		}
		if err != nil {
			return "", fault.Wrap(fault.Unavailable, err, "the password cannot be read")
		}
		given[i] = string(typed)
	}
	if given[0] != given[1] {
		return "", fault.New(fault.Invalid, "the two passwords differ")
	}
	return given[0], nil
}

func (c *console) roleCommand() *cobra.Command {
	return group("role", "Roles: what users may do", c.roleListCommand(),
		c.roleChangeCommand("grant", "Give a user a role", (*access.Service).AddRole, "%s has %s", "%s has had %s before"),
		c.roleChangeCommand("revoke", "Take a role from a user; one that comes by a group stays", (*access.Service).RemoveRole, "%s has no longer %s", "%s was not given %s"))
}

func (c *console) roleListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "The roles, with those they contain", Args: exactly()}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, _ []string) error {
		roles, err := s.Roles(ctx)
		if err != nil {
			return err
		}
		out := answer{value: roles, header: []string{"name", "contains", "description"}}
		for _, r := range roles {
			out.rows = append(out.rows, []string{r.Name, strings.Join(r.Contains, " "), r.Description})
		}
		return c.show(out)
	})
	return cmd
}

func (c *console) roleChangeCommand(verb, short string, do func(*access.Service, context.Context, string, string) (bool, error), yes, no string) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " USER ROLE", Short: short, Args: exactly("USER", "ROLE")}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) error {
		changed, err := do(s, ctx, args[0], args[1])
		if err != nil {
			return err
		}
		text := yes
		if !changed {
			text = no
		}
		return c.done(map[string]any{"user_name": args[0], "role": args[1], "changed": changed}, text, args[0], args[1])
	})
	return cmd
}

func (c *console) tokenCommand() *cobra.Command {
	return group("token", "API keys and OAuth clients: how programs log in", c.tokenListCommand(), c.tokenCreateCommand(), c.tokenRevokeCommand())
}

func (c *console) tokenListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "The API keys and OAuth clients, without their secrets", Args: exactly()}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, _ []string) error {
		tokens, err := s.Tokens(ctx)
		if err != nil {
			return err
		}
		out := answer{value: tokens, header: []string{"sys_id", "kind", "name", "user_name", "client_id", "active", "expires"}}
		for _, t := range tokens {
			out.rows = append(out.rows, []string{t.ID, t.Kind, t.Name, t.UserName, t.ClientID, strconv.FormatBool(t.Active), t.Expires})
		}
		return c.show(out)
	})
	return cmd
}

// tokenOptions say what kind of token is made.
type tokenOptions struct {
	user    string
	oauth   bool
	expires time.Duration
}

func (c *console) tokenCreateCommand() *cobra.Command {
	o := &tokenOptions{}
	cmd := &cobra.Command{Use: "create NAME", Short: "Make an API key, or an OAuth client; the secret is shown this once", Args: exactly("NAME"),
		Example: "  headrace token create nightly --user robot --expires 2160h\n  headrace token create shop --oauth --user robot"}
	f := cmd.Flags()
	f.StringVar(&o.user, "user", "", "the `USER` it acts for; an OAuth client without one only grants to users with passwords")
	f.BoolVar(&o.oauth, "oauth", false, "an OAuth client instead of an API key")
	f.DurationVar(&o.expires, "expires", 0, "how long the API key lives; 0 is for ever")
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) error {
		return c.createToken(ctx, s, args[0], o)
	})
	return cmd
}

func (c *console) createToken(ctx context.Context, s *access.Service, name string, o *tokenOptions) error {
	switch {
	case o.oauth && o.expires != 0:
		return fault.New(fault.Invalid, "an OAuth client does not expire; its tokens do").WithHint("leave --expires out")
	case o.expires < 0:
		return fault.New(fault.Invalid, "--expires is not below 0")
	case o.oauth:
		id, client, secret, err := s.CreateClient(ctx, name, o.user)
		if err != nil {
			return err
		}
		return c.show(answer{value: map[string]any{"sys_id": id, "client_id": client, "client_secret": secret}, header: []string{"sys_id", "client_id", "client_secret"},
			rows: [][]string{{id, client, secret}}, text: "  client_id      " + client + "\n  client_secret  " + secret + "\n"})
	case o.user == "":
		return fault.New(fault.Invalid, "an API key acts for a user, and none is named").WithHint("--user NAME; headrace user list")
	}
	var expires time.Time
	if o.expires > 0 {
		expires = time.Now().Add(o.expires)
	}
	id, key, err := s.CreateKey(ctx, name, o.user, expires)
	if err != nil {
		return err
	}
	return c.show(answer{value: map[string]any{"sys_id": id, "key": key}, header: []string{"sys_id", "key"}, rows: [][]string{{id, key}}, text: key + "\n"})
}

func (c *console) tokenRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "End an API key, or an OAuth client with its tokens, by sys_id", Args: exactly("ID")}
	cmd.RunE = c.withAccess(func(ctx context.Context, s *access.Service, args []string) error {
		if err := s.RemoveToken(ctx, args[0]); err != nil {
			return err
		}
		return c.done(map[string]any{"sys_id": args[0]}, "%s has ended", args[0])
	})
	return cmd
}
