package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options of a run.
type Options struct {
	Bin   string // directory of the programs
	Out   io.Writer
	Exit  bool // end when everything held, instead of waiting for Ctrl-C
	Ports Ports
}

// taskName is the demo's task.
const taskName = "shop-to-ddm"

// Run plays the whole story. It returns nil only if everything held.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "shardlift-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d := &demo{Options: o, stage: &stage{dir: dir, ports: o.Ports}, began: time.Now()}
	d.stage.children = &children{bin: o.Bin, logs: dir, env: []string{
		"SHARDLIFT_DATA=" + filepath.Join(dir, "data"), "SHARDLIFT_HEARTBEAT_TIMEOUT=15s",
		fmt.Sprintf("SHARDLIFT_TEMPORAL_UI=http://127.0.0.1:%d", o.Ports.TemporalUI),
		"SHARDLIFT_SERVER=http://" + d.stage.web(), "DEMO_SOURCE_PASSWORD=" + migratorPassword, "DEMO_DDM_PASSWORD=" + ddmPassword,
	}}
	defer d.stage.fall()
	for _, step := range []struct {
		title string
		do    func(context.Context) error
	}{
		{"Set the stage", func(ctx context.Context) error { return raise(ctx, d.stage, d.say) }},
		{"Create the task and check it", d.create},
		{"Start; the shop keeps writing", d.start},
		{"Full copy, with a worker killed in the middle", d.copyAndKill},
		{"Changes, with another worker killed", d.applyAndKill},
		{"Let traffic end and compare", d.compare},
		{"Plant a changed row; the comparison must find it", d.plant},
		{"Stop: drain, sequences, report", d.stop},
		{"The next insert through DDM gets a fresh id", d.insert},
	} {
		d.title(step.title)
		if err := step.do(ctx); err != nil {
			d.showLogs()
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	d.summary()
	if o.Exit {
		return nil
	}
	d.say("everything stays up until Ctrl-C")
	<-ctx.Done()
	return nil
}

// demo is one run of the story.
type demo struct {
	Options
	stage   *stage
	traffic *traffic
	began   time.Time
	step    int
	kills   int
}

func (d *demo) title(text string) {
	d.step++
	fmt.Fprintf(d.Out, "\n\033[1m%d. %s\033[0m  (%.0f s)\n", d.step, text, time.Since(d.began).Seconds())
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.Out, "   "+format+"\n", args...) }

// showLogs prints the ends of the children's logs, where a failure is explained.
func (d *demo) showLogs() {
	for _, c := range d.stage.children.all {
		if c.name == "shardlift-dev" || c.name == "ddmsim" {
			continue
		}
		fmt.Fprintf(d.Out, "--- last lines of %s\n%s\n", filepath.Base(c.log), lastLines(c.log, 8))
	}
}

func (d *demo) summary() {
	fmt.Fprintf(d.Out, `
Everything held: %d live transactions, %d workers killed, every row on its shard, next ids fresh (%.0f s).

   tasks             http://%s   (token: %s)
   Temporal Web UI   http://127.0.0.1:%d/namespaces/shardlift/workflows
   the command line  export SHARDLIFT_DATA=%s SHARDLIFT_SERVER=http://%s

now yours: shardlift init
`, d.traffic.done.Load(), d.kills, time.Since(d.began).Seconds(), d.stage.web(), filepath.Join(d.stage.data(), "token"),
		d.stage.ports.TemporalUI, d.stage.data(), d.stage.web())
}
