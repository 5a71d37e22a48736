-- Who acted for whom, what each layer said of a call (transport, protocol, tool, policy), what was asked before it ran, its
-- model and cost, and the numbers that its gateway and its sender gave it. Absent: '' in text, NULL in numbers and booleans.
ALTER TABLE events ADD COLUMN IF NOT EXISTS event_sequence Nullable(UInt64) CODEC(ZSTD(1)) AFTER record_index;
ALTER TABLE events ADD COLUMN IF NOT EXISTS producer_id LowCardinality(String) AFTER event_sequence;
ALTER TABLE events ADD COLUMN IF NOT EXISTS producer_sequence Nullable(UInt64) CODEC(ZSTD(1)) AFTER producer_id;
ALTER TABLE events ADD COLUMN IF NOT EXISTS ai_agent_instance_uid String CODEC(ZSTD(1)) AFTER gen_ai_agent_version;
ALTER TABLE events ADD COLUMN IF NOT EXISTS ai_agent_parent_uid String CODEC(ZSTD(1)) AFTER ai_agent_instance_uid;
ALTER TABLE events ADD COLUMN IF NOT EXISTS delegation_type LowCardinality(String) AFTER client_address;
ALTER TABLE events ADD COLUMN IF NOT EXISTS delegation_chain Array(LowCardinality(String)) AFTER delegation_type;
ALTER TABLE events ADD COLUMN IF NOT EXISTS http_response_status_code Nullable(UInt16) CODEC(ZSTD(1)) AFTER outcome;
ALTER TABLE events ADD COLUMN IF NOT EXISTS rpc_response_status_code LowCardinality(String) AFTER http_response_status_code;
ALTER TABLE events ADD COLUMN IF NOT EXISTS mcp_tool_is_error Nullable(Bool) CODEC(ZSTD(1)) AFTER rpc_response_status_code;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_security_decision_type LowCardinality(String) AFTER mcp_tool_is_error;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_security_policy_id LowCardinality(String) AFTER gen_ai_security_decision_type;
ALTER TABLE events ADD COLUMN IF NOT EXISTS approval_asked Nullable(Bool) CODEC(ZSTD(1)) AFTER gen_ai_security_policy_id;
ALTER TABLE events ADD COLUMN IF NOT EXISTS approval_by LowCardinality(String) AFTER approval_asked;
ALTER TABLE events ADD COLUMN IF NOT EXISTS approval_answer LowCardinality(String) AFTER approval_by;
ALTER TABLE events ADD COLUMN IF NOT EXISTS approval_wait_ms Nullable(Float64) CODEC(ZSTD(1)) AFTER approval_answer;
ALTER TABLE events ADD COLUMN IF NOT EXISTS approval_mode LowCardinality(String) AFTER approval_wait_ms;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_usage_cost Nullable(Float64) CODEC(ZSTD(1)) AFTER gen_ai_usage_output_tokens;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_provider_name LowCardinality(String) AFTER gen_ai_usage_cost;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_request_model LowCardinality(String) AFTER gen_ai_provider_name;
ALTER TABLE events ADD COLUMN IF NOT EXISTS gen_ai_response_model LowCardinality(String) AFTER gen_ai_request_model;
