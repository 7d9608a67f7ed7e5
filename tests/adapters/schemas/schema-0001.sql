-- A database of schema 0001 with one row in each table; kept so that every later version can read it.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE answer (
	tenant_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	request_sha256 BLOB NOT NULL, 
	status BIGINT NOT NULL, 
	body BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, "key")
);
INSERT INTO "answer" VALUES('default','key-1',X'04',201,X'7B7D',1);
CREATE TABLE artifact (
	tenant_id TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	reference TEXT NOT NULL, 
	plane TEXT NOT NULL, 
	document BLOB NOT NULL, 
	published_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, digest), 
	UNIQUE (tenant_id, reference)
);
INSERT INTO "artifact" VALUES('default','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','app/door@1.0.0','app',X'7B7D',1);
CREATE TABLE audit (
	tenant_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	at_ms BIGINT NOT NULL, 
	actor TEXT NOT NULL, 
	action TEXT NOT NULL, 
	object_id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, seq)
);
INSERT INTO "audit" VALUES('default',1,1,'loopback','POST /v1/stops','','smoke');
CREATE TABLE blob (
	tenant_id TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, sha256)
);
INSERT INTO "blob" VALUES('default','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',1099511627776,1);
CREATE TABLE claim (
	tenant_id TEXT NOT NULL, 
	claim_id TEXT NOT NULL, 
	token_sha256 BLOB NOT NULL, 
	uses_left BIGINT NOT NULL, 
	expires_at_ms BIGINT NOT NULL, 
	auto_accept BOOLEAN NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, claim_id)
);
INSERT INTO "claim" VALUES('default','claim-1',X'02',3,9,1,1,1);
CREATE TABLE cohort (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	family TEXT NOT NULL, 
	minute_at_ms BIGINT NOT NULL, 
	entered_count BIGINT NOT NULL, 
	failed_count BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id, family, minute_at_ms)
);
INSERT INTO "cohort" VALUES('default','r-1','arm',60000,3,1);
CREATE TABLE command (
	tenant_id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	command_id BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	arg TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, device_id, command_id)
);
INSERT INTO "command" VALUES('default','box-1',1,'reboot','','queued',1);
CREATE TABLE decision (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	at_ms BIGINT NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id, seq)
);
INSERT INTO "decision" VALUES('default','r-1',1,1,X'7B7D');
CREATE TABLE deployment (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id, device_id)
);
INSERT INTO "deployment" VALUES('default','r-1','box-1','offered',X'7B7D');
CREATE TABLE device (
	tenant_id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	serial TEXT NOT NULL, 
	class_id TEXT NOT NULL, 
	labels TEXT NOT NULL, 
	status TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	updates_paused BOOLEAN NOT NULL, 
	token_sha256 BLOB NOT NULL, 
	enrolled_at_ms BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, device_id)
);
INSERT INTO "device" VALUES('default','box-1','S1','door','[["a","b"]]','accepted','normal',0,X'00FF',1,1);
CREATE TABLE device_class (
	tenant_id TEXT NOT NULL, 
	class_id TEXT NOT NULL, 
	version BIGINT NOT NULL, 
	document BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, class_id, version)
);
INSERT INTO "device_class" VALUES('default','door',1,X'636C6173733A20646F6F72',1);
CREATE TABLE device_now (
	tenant_id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	applied_no BIGINT NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (tenant_id, device_id)
);
INSERT INTO "device_now" VALUES('default','box-1',7,X'01');
CREATE TABLE device_order (
	tenant_id TEXT NOT NULL, 
	order_id TEXT NOT NULL, 
	device_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	goal TEXT NOT NULL, 
	"before" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempt BIGINT NOT NULL, 
	first_generation BIGINT NOT NULL, 
	document BLOB NOT NULL, 
	reason TEXT NOT NULL, 
	undoes TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, order_id)
);
INSERT INTO "device_order" VALUES('default','o-1','box-1','push','[["app","x"]]','[]','waiting',1,0,X'','try','',1);
CREATE TABLE fragment (
	tenant_id TEXT NOT NULL, 
	fragment_id TEXT NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (tenant_id, fragment_id)
);
INSERT INTO "fragment" VALUES('default','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',X'00');
CREATE TABLE freeze (
	tenant_id TEXT NOT NULL, 
	freeze_id TEXT NOT NULL, 
	plane TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, freeze_id), 
	UNIQUE (tenant_id, plane, digest)
);
INSERT INTO "freeze" VALUES('default','freeze-1','app','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bad','',1);
CREATE TABLE lease (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	until_at_ms BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id)
);
INSERT INTO "lease" VALUES('default','r-1','controller-a',9,1);
CREATE TABLE operator_token (
	tenant_id TEXT NOT NULL, 
	token_id TEXT NOT NULL, 
	token_sha256 BLOB NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	expires_at_ms BIGINT, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, token_id)
);
INSERT INTO "operator_token" VALUES('default','token-1',X'03','first','admin',NULL,1);
CREATE TABLE plane_set (
	tenant_id TEXT NOT NULL, 
	set_id BIGINT NOT NULL, 
	document BLOB NOT NULL, 
	PRIMARY KEY (tenant_id, set_id)
);
INSERT INTO "plane_set" VALUES('default',4611686018427387905,X'5B5D');
CREATE TABLE release (
	tenant_id TEXT NOT NULL, 
	release_id TEXT NOT NULL, 
	yaml TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, release_id)
);
INSERT INTO "release" VALUES('default','rel-1','release: rel-1
# über
',1);
CREATE TABLE ring (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	ring_index BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	opened_at_ms BIGINT, 
	document BLOB NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id, ring_index)
);
INSERT INTO "ring" VALUES('default','r-1',0,'canary',NULL,X'7B7D',1);
CREATE TABLE rollout (
	tenant_id TEXT NOT NULL, 
	rollout_id TEXT NOT NULL, 
	release_id TEXT NOT NULL, 
	state TEXT NOT NULL, 
	document BLOB NOT NULL, 
	"plan" BLOB NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, rollout_id)
);
INSERT INTO "rollout" VALUES('default','r-1','rel-1','draft',X'7B7D',X'7B7D',1,1);
CREATE TABLE stop (
	tenant_id TEXT NOT NULL, 
	stop_id TEXT NOT NULL, 
	"where" TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, stop_id)
);
INSERT INTO "stop" VALUES('default','stop-1','region=eu','smoke',1);
CREATE TABLE tenant (
	tenant_id TEXT NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id)
);
INSERT INTO "tenant" VALUES('default',1);
COMMIT;
