package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	clusterName = "active"
	storeName   = "sqlite"
	// clusterID is written into the database at its first start and compared
	// at every later one.
	clusterID = "5d0f3c5e-6f5b-4a5e-9e0a-5a1f11a57a11"
	// retention of finished tasks: the list of tasks is Temporal's visibility.
	retention = 365 * 24 * time.Hour
)

// searchAttributes are the task attributes that lists filter by.
func searchAttributes() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{
		"ShardliftStatus":    enums.INDEXED_VALUE_TYPE_KEYWORD,
		"ShardliftName":      enums.INDEXED_VALUE_TYPE_KEYWORD,
		"ShardliftTags":      enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		"ShardliftAttention": enums.INDEXED_VALUE_TYPE_KEYWORD,
	}
}

// dynamicConfig differs from the server's defaults in a few things. A cancelled
// activity hears of it in milliseconds, by a command to its worker, instead of
// at its next heartbeat (both keys are needed, server 1.32). One process has no
// use for task queue partitions, which only add hops. A shard is polled 20 times
// a second by default, which is plenty for one of thousands; here there is one,
// and each step of each workflow would wait for its turn for 50 ms.
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.MakeKey("frontend.WorkerCommandsEnabled"):           true,
		dynamicconfig.MakeKey("system.enableCancelActivityWorkerCommand"): true,
		dynamicconfig.MakeKey("matching.numTaskqueueReadPartitions"):      1,
		dynamicconfig.MakeKey("matching.numTaskqueueWritePartitions"):     1,
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                   shardPolls,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                      shardPolls,
		// The limit of 10 list requests a second is for clusters.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
}

// shardPolls is how often the one shard's queues may be polled in a second.
const shardPolls = 1000

// temporalServer is a Temporal server in this process over one SQLite file.
type temporalServer struct {
	server temporal.Server
	lock   *os.File
	// Address is the frontend's host:port.
	Address string
	// Database and Log are the files it writes.
	Database, Log string
}

// startTemporal prepares the files under dir and starts the server. It returns
// when the services run; waitUntilUsable says when a client can work. The
// caller stops it.
func startTemporal(dir string, port int) (*temporalServer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &temporalServer{
		lock:     lock,
		Address:  net.JoinHostPort(loopback, strconv.Itoa(port)),
		Database: filepath.Join(dir, "temporal.db"),
		Log:      filepath.Join(dir, "temporal.log"),
	}
	if err := s.start(port); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *temporalServer) start(port int) error {
	store := sqlStore(s.Database)
	if err := prepareDatabase(s.Database, store); err != nil {
		return err
	}
	conf, hosts, err := serverConfig(store, port)
	if err != nil {
		return err
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", Format: "console", OutputFile: s.Log}))
	s.server, err = temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
	if err != nil {
		return fmt.Errorf("configure the Temporal server: %w", err)
	}
	if err := s.server.Start(); err != nil {
		return fmt.Errorf("start the Temporal server (details in %s): %w", s.Log, err)
	}
	return nil
}

// Stop ends the services and gives the data directory free.
func (s *temporalServer) Stop() error {
	return errors.Join(s.server.Stop(), s.lock.Close())
}

// sqlStore describes the database file. The write-ahead log with full
// synchronisation loses nothing that was acknowledged, at a power cut either.
func sqlStore(file string) *config.SQL {
	return &config.SQL{
		PluginName:        sqlite.PluginName,
		DatabaseName:      (&url.URL{Path: file}).EscapedPath(),
		ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "full"},
	}
}

// prepareDatabase makes the file at the first start and the namespace if it is
// missing. The schema is laid out in a side file and renamed, so that a kill in
// between leaves no half-made database behind.
func prepareDatabase(file string, store *config.SQL) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		draft := file + ".new"
		if err := os.RemoveAll(draft); err != nil {
			return fmt.Errorf("remove a half-made database: %w", err)
		}
		// No write-ahead log: its side files would not be renamed along.
		plain := sqlStore(draft)
		delete(plain.ConnectAttributes, "journal_mode")
		if err := sqliteschema.SetupSchema(plain); err != nil {
			return fmt.Errorf("make Temporal's database %s: %w", draft, err)
		}
		// Its side files take its rights.
		if err := os.Chmod(draft, 0o600); err != nil {
			return fmt.Errorf("protect Temporal's database: %w", err)
		}
		if err := os.Rename(draft, file); err != nil {
			return fmt.Errorf("put Temporal's database in place: %w", err)
		}
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, namespace, false, searchAttributes())
	if err != nil {
		return fmt.Errorf("describe namespace %s: %w", namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := sqliteschema.CreateNamespaces(store, ns); err != nil {
		return fmt.Errorf("make namespace %s in %s: %w", namespace, file, err)
	}
	return nil
}

// serverConfig binds every service to loopback; archival, metrics, profiling
// and the HTTP API are off.
func serverConfig(store *config.SQL, port int) (*config.Config, map[primitives.ServiceName]static.Hosts, error) {
	frontend := net.JoinHostPort(loopback, strconv.Itoa(port))
	conf := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     storeName,
			VisibilityStore:  storeName,
			NumHistoryShards: 1, // fixed for the life of the file
			DataStores:       map[string]config.DataStore{storeName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend, ClusterID: clusterID},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend},
		Services:            map[string]config.Service{},
	}
	conf.Global.Membership.MaxJoinDuration = 30 * time.Second
	conf.Global.Membership.BroadcastAddress = loopback
	conf.Archival.History.State = config.ArchivalDisabled
	conf.Archival.Visibility.State = config.ArchivalDisabled
	conf.NamespaceDefaults.Archival.History.State = config.ArchivalDisabled
	conf.NamespaceDefaults.Archival.Visibility.State = config.ArchivalDisabled

	ports, err := freePorts(3)
	if err != nil {
		return nil, nil, err
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for service, p := range map[primitives.ServiceName]int{
		primitives.FrontendService: port,
		primitives.HistoryService:  ports[0],
		primitives.MatchingService: ports[1],
		primitives.WorkerService:   ports[2],
	} {
		conf.Services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: p, BindOnIP: loopback}}
		hosts[service] = static.SingleLocalHost(net.JoinHostPort(loopback, strconv.Itoa(p)))
	}
	return conf, hosts, nil
}
