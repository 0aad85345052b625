package main

import (
	"os"
	"strings"

	"shardlift/internal/alarm"
	"shardlift/internal/config"
	"shardlift/internal/fault"
	"shardlift/internal/secret"
)

// openAlarms reads what the settings name; files hold what may be secret.
func openAlarms(s config.Alarms) (*alarm.Sender, error) {
	var c alarm.Config
	var password secret.Text
	for _, f := range []struct {
		path, variable string
		into           *secret.Text
	}{
		{s.WebhookFile, "SHARDLIFT_ALARM_WEBHOOK_FILE", &c.Webhook},
		{s.SecretFile, "SHARDLIFT_ALARM_SECRET_FILE", &c.Secret},
		{s.SMTPPasswordFile, "SHARDLIFT_ALARM_SMTP_PASSWORD_FILE", &password},
	} {
		if f.path == "" {
			continue
		}
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fault.InvalidSetting.Wrap(err, f.variable)
		}
		*f.into = secret.NewText(strings.TrimSpace(string(data)))
	}
	c.SMTP = alarm.SMTP{Server: s.SMTP, User: s.SMTPUser, Password: password, TLS: s.SMTPTLS, From: s.From, To: s.To}
	return alarm.New(c)
}
