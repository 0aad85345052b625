package fault

// Definitions of alarms that did not reach anybody.
var (
	WebhookFailed = Definition{"SL-8020", Retry, "the alarm's webhook did not take it", "see that the URL of SHARDLIFT_ALARM_WEBHOOK_FILE answers 2xx; the alarm is repeated for an hour"}
	MailFailed    = Definition{"SL-8021", Retry, "the alarm's mail was not taken", "see the settings SHARDLIFT_ALARM_SMTP_*; the alarm is repeated for an hour"}
)
