// Package config is how a server is configured: one typed struct, its defaults, its documentation and its checks.
//
// A value comes from, in this order: the command line, the environment (EDGEWARD_ and the key in capitals with "_" for
// ".", such as EDGEWARD_HTTP_ADDRESS), the file (TOML, /etc/edgeward/config.toml or --config), the answers file of an
// unattended installation, what an administrator set on the page Settings, the default. Nothing else reads the environment. Every value knows where it came from.
//
// A key that does not exist is an error that names the nearest one; a wrong value is an error that names the key, the
// value and what would be right. All errors of a start are reported together. Secrets are named by file (*_file) and
// never printed. A stray EDGEWARD_ variable is a warning, since the environment has other writers.
//
// Each field's doc tag is its documentation: docs/configuration.md and docs/config.example.toml are made of it
// (go generate), and a test compares them.
package config

import "time"

//go:generate env EDGEWARD_WRITE_GOLDEN=1 go test -count=1 -run TestDocsAreGenerated .

// File is where the configuration is looked for when none is named.
const File = "/etc/edgeward/config.toml"

// Names in the environment that are no settings.
const (
	EnvConfig         = "EDGEWARD_CONFIG"          // path of the configuration file, as --config
	EnvBootstrapToken = "EDGEWARD_BOOTSTRAP_TOKEN" // first administrator's API token, see node/auth
	EnvURL            = "EDGEWARD_URL"             // for commands: the node to talk to
	EnvToken          = "EDGEWARD_TOKEN"           // for commands: the API token
	EnvGroup          = "EDGEWARD_GROUP"           // for commands: the group
	EnvCAFile         = "EDGEWARD_CA_FILE"         // for commands: PEM file of the CA that signed the node's certificate
	EnvCredentials    = "CREDENTIALS_DIRECTORY"    // set by systemd: the folder of the service's credentials
)

// Config is all that can be configured. Get one from Load or Default; the zero value is not usable.
type Config struct {
	DataDir string `key:"data_dir" doc:"Directory of everything this server keeps. Default: /var/lib/edgeward as root, else $XDG_DATA_HOME/edgeward or ~/.local/share/edgeward."`
	Site    string `key:"site" doc:"Name of the site: servers of one site find each other by gossip and share an MQTT topic level. Lower-case letters, digits and dashes."`

	Node struct {
		Name string `key:"name" doc:"Name of this server. Empty: the host name, made to fit (lower-case letters, digits, dashes)."`
	} `key:"node"`
	HTTP struct {
		Address      string   `key:"address" doc:"Address of the web page and the API. Plain HTTP on loopback; TLS on every other address."`
		AllowedHosts []string `key:"allowed_hosts" doc:"DNS names this server answers to besides its addresses and localhost; others are refused (protection against DNS rebinding)."`
		MaxBody      Bytes    `key:"max_body" doc:"Largest body of an API request."`
		SharedMemory bool     `key:"shared_memory" doc:"Clients on this machine may hand tensors over in POSIX shared memory (Open Inference Protocol, REST and gRPC). Never for callers from elsewhere or through a proxy."`
		MaxUpload    Bytes    `key:"max_upload" doc:"Largest file that can be uploaded: data set or model."`
	} `key:"http"`
	TLS struct {
		CertFile string `key:"cert_file" doc:"PEM file with the certificate chain. Empty: a certificate of this server's own CA, made at first start."`
		KeyFile  string `key:"key_file" doc:"PEM file with the private key of tls.cert_file."`
	} `key:"tls"`
	GRPC struct {
		Address string `key:"address" doc:"Address of the Open Inference Protocol over gRPC, or off."`
	} `key:"grpc"`
	S3 struct {
		Address string `key:"address" doc:"Address of the S3 interface to data sets, or off."`
	} `key:"s3"`
	Fleet struct {
		Address           string `key:"address" doc:"Address where the nodes of a fleet call this server, once a fleet was founded here (edgeward fleet init), or off. Always TLS with certificates of the fleet."`
		AllowInquiries    bool   `key:"allow_inquiries" doc:"Persons with the right at the hub of this server's fleet may ask it for log lines and support bundles. Each time stands in the audit log of both."`
		Proxy             string `key:"proxy" doc:"HTTP proxy that this server calls its hub through, such as http://proxy.hospital.lan:3128, or off. Empty: that of the environment (HTTPS_PROXY, NO_PROXY). It must allow CONNECT to the hub's port; it sees nothing of what is said."`
		ProxyUser         string `key:"proxy_user" doc:"User name at fleet.proxy."`
		ProxyPasswordFile string `key:"proxy_password_file" doc:"File with the password at fleet.proxy."`
	} `key:"fleet"`
	Gossip struct {
		Address string `key:"address" doc:"Address where the other servers of a node's site call it, TCP and UDP, such as 0.0.0.0:7946, or off: then it takes no part in gossip and gives no peer bytes. Used once this server has joined a fleet; always with its certificates and keys."`
	} `key:"gossip"`
	MQTT struct {
		Broker       bool   `key:"broker" doc:"Run the built-in MQTT broker. Switch it off when mqtt.url names one of yours."`
		Address      string `key:"address" doc:"Address of the built-in broker."`
		URL          string `key:"url" doc:"Broker that reports are sent to, such as tcp://broker:1883 or ssl://broker:8883. Empty: the built-in one."`
		Username     string `key:"username" doc:"User name at mqtt.url."`
		PasswordFile string `key:"password_file" doc:"File with the password at mqtt.url."`
		CAFile       string `key:"ca_file" doc:"PEM file with the CA that signed the broker's certificate. Empty: the system's CAs."`
	} `key:"mqtt"`
	Score struct {
		Drops         []string `key:"drops" doc:"Folders that results of scorings may be written to, as name=/absolute/path."`
		Webhooks      []string `key:"webhooks" doc:"URLs that results of scorings may be sent to, as \"name=https://host/path /path/of/key/file\". The file holds the key that signs what is sent, 16 bytes or more. Plain http only to this machine."`
		WebhookCAFile string   `key:"webhook_ca_file" doc:"PEM file with the CA that signed the certificates of score.webhooks. Empty: the system's CAs."`
		ReplyPrefixes []string `key:"reply_prefixes" doc:"MQTT topics below these may be asked for by reply_to of a message. Empty: answers go to the topic of the endpoint only."`
	} `key:"score"`
	Workers struct {
		Memory       Bytes `key:"memory" doc:"Most memory one inference or training worker may map."`
		MemoryBudget Bytes `key:"memory_budget" doc:"Most memory all loaded models take together, as measured when they were proved: those asked for longest ago make room. 0: three quarters of workers.memory."`
		DeviceMemory Bytes `key:"device_memory" doc:"Most of a GPU's memory that one model takes. 0: what it needs, as far as there is some."`
		Threads      int   `key:"threads" doc:"Threads of one worker. 0: as many as the machine has cores."`
	} `key:"workers"`
	Query struct {
		Memory Bytes `key:"memory" doc:"Most memory one query over files may use."`
	} `key:"query"`
	Jobs struct {
		Parallel int           `key:"parallel" doc:"Jobs that run at the same time. 0: half of the cores, at least one."`
		Timeout  time.Duration `key:"timeout" doc:"A job that runs longer is stopped."`
	} `key:"jobs"`
	Auth struct {
		SessionIdle     time.Duration `key:"session_idle" doc:"A browser session ends when it is not used for this long."`
		SessionAbsolute time.Duration `key:"session_absolute" doc:"A browser session ends after this long in any case."`
	} `key:"auth"`
	Drift struct {
		FalseAlarmsPerYear float64 `key:"false_alarms_per_year" doc:"How many false alarms a year a new monitor may raise; sets its threshold. A quarter is one in four years."`
	} `key:"drift"`
	Records struct {
		KeyFile string `key:"key_file" doc:"File with the master key that prediction records are encrypted with, best on another disk than the data directory. Empty: the systemd credential edgeward-record-key if there is one, else record.key in the data directory, made at first start."`
	} `key:"records"`
	Retention struct {
		PredictionDays int `key:"prediction_days" doc:"Days that prediction records are kept. 0: for ever."`
	} `key:"retention"`
	Health struct {
		Delay time.Duration `key:"delay" doc:"Trouble must last this long before the server calls itself degraded: a blip is not an alarm."`
	} `key:"health"`
	Update struct {
		Window time.Duration `key:"window" doc:"A new version of edgeward has this long to prove itself after an update, or the one before runs again."`
	} `key:"update"`
	Tracing struct {
		URL    string  `key:"url" doc:"OTLP address of an OpenTelemetry collector that is told of answers, such as http://collector:4318/v1/traces. Empty: nobody is told. Inputs and outputs are never in a trace."`
		Sample float64 `key:"sample" doc:"Share of the answers that are traced, 0 to 1. A caller that sends a traceparent decides for itself."`
	} `key:"tracing"`
	Log struct {
		Level  string `key:"level" doc:"Least level that is logged: debug, info, warn or error."`
		Format string `key:"format" doc:"Form of a log line: text or json."`
		Access bool   `key:"access" doc:"Log a line for each request: who asked, for what, with which result. Never inputs, answers or the query of an address."`
	} `key:"log"`
}

// Off is the address of an interface that is not wanted.
const Off = "off"

// Default returns the configuration of a server nobody configured, with the given data directory.
func Default(dataDir string) Config {
	var c Config
	c.DataDir, c.Site = dataDir, "default"
	c.HTTP.Address, c.HTTP.MaxBody, c.HTTP.MaxUpload, c.HTTP.SharedMemory = "127.0.0.1:8080", 64<<20, 8<<30, true
	c.GRPC.Address, c.S3.Address, c.Gossip.Address = "127.0.0.1:8001", "127.0.0.1:9000", Off
	c.Fleet.Address = "127.0.0.1:8443"
	c.Fleet.AllowInquiries = true
	c.MQTT.Broker, c.MQTT.Address = true, "127.0.0.1:1883"
	c.Workers.Memory, c.Query.Memory = 4<<30, 1<<30
	c.Jobs.Timeout = 24 * time.Hour
	c.Auth.SessionIdle, c.Auth.SessionAbsolute = 8*time.Hour, 7*24*time.Hour
	c.Drift.FalseAlarmsPerYear = 0.25
	c.Retention.PredictionDays = 400
	c.Health.Delay = 10 * time.Second
	c.Update.Window = 2 * time.Minute
	c.Tracing.Sample = 0.01
	c.Log.Level, c.Log.Format = "info", "text"
	return c
}
