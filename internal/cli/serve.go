package cli

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"headrace/internal/app"
)

// adminPassword is the variable that gives the first user's password.
const adminPassword = "HEADRACE_ADMIN_PASSWORD"

// spoolBeside is the spool folder where no data folder is named.
const spoolBeside = "headrace-spool"

func (c *console) serveCommand() *cobra.Command {
	cfg := app.ServeConfig{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer over HTTP: the APIs of the platform, and Headrace's own",
		Long: `The first start makes the user admin, with the password in ` + adminPassword + ` or with one that is drawn and shown once.
SIGTERM and Ctrl-C let requests under way end and halt imports, so that they can be resumed; a second Ctrl-C ends at once.`,
		Example: "  headrace serve\n  headrace serve --listen 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem",
		Args:    exactly(),
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8080", "the `ADDRESS` to listen on; port 0 is any free one")
	f.StringVar(&cfg.TLSCert, "tls-cert", "", "the certificate chain, in a PEM `FILE`")
	f.StringVar(&cfg.TLSKey, "tls-key", "", "its key, in a PEM `FILE`")
	f.StringVar(&cfg.Base, "base-url", "", "the `URL` under which clients reach this server, for links; else what each request names")
	f.StringVar(&cfg.Spool, "spool", "", "the folder for uploads and plans, `DIR` (default: spool in the data folder; with --database ./"+spoolBeside+")")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		app.ServerMemory()
		return c.withApp(func(ctx context.Context, a *app.App, _ []string) error { return c.serve(ctx, a, cfg) })(cmd, args)
	}
	return cmd
}

func (c *console) serve(ctx context.Context, a *app.App, cfg app.ServeConfig) error {
	cfg.AdminPassword = os.Getenv(adminPassword)
	cfg.Log = c.log()
	if cfg.Spool == "" {
		cfg.Spool = spoolBeside
		if c.settings.Data != "" {
			cfg.Spool = filepath.Join(c.settings.Data, "spool")
		}
	}
	cfg.Ready = func(s app.Serving) {
		if s.Password != "" {
			c.tell("user %s, password %s   (shown only now; headrace user password changes it)", app.AdminUser, s.Password)
		}
		if s.Open {
			c.tell("headrace: %s others can reach %s, and nothing is encrypted; --tls-cert and --tls-key do that", c.paint(bold, "warning:"), s.URL)
		}
		c.tell("headrace serves %s from %s", s.URL, cmp.Or(c.settings.Data, "PostgreSQL"))
	}
	err := a.Serve(ctx, cfg)
	if err == nil {
		c.note("headrace has stopped")
	}
	return err
}

// log writes lines for people on a terminal, and for programs elsewhere.
func (c *console) log() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch {
	case c.settings.Quiet:
		options.Level = slog.LevelWarn
	case c.settings.Verbose:
		options.Level = slog.LevelDebug
	}
	if isTerminal(c.err) {
		return slog.New(slog.NewTextHandler(c.err, options))
	}
	return slog.New(slog.NewJSONHandler(c.err, options))
}
