import type { EventDraft } from '../../core/audit-event.ts'
import { textOf } from './field-values.ts'

// Rust, Go and Python programs write the name of a type or function where JSON-RPC has a method.
const METHODS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    calltool: 'tools/call',
    toolscall: 'tools/call',
    listtools: 'tools/list',
    toolslist: 'tools/list',
    getprompt: 'prompts/get',
    promptsget: 'prompts/get',
    listprompts: 'prompts/list',
    promptslist: 'prompts/list',
    readresource: 'resources/read',
    resourcesread: 'resources/read',
    listresources: 'resources/list',
    resourceslist: 'resources/list',
    listresourcetemplates: 'resources/templates/list',
    resourcestemplateslist: 'resources/templates/list',
  }),
)
const MAX_METHOD = 64
const AS_IT_IS = /^[a-z]{1,64}\/[a-z]/

/** The method in JSON-RPC’s words, whether the program wrote `tools/call`, `Tools/Call`, `tools.call`, `call_tool`, `CallTool` or `CallToolRequest`. */
export function methodOfWord(value: unknown): string | undefined {
  const method = textOf(value)
  if (method === undefined || method.length > MAX_METHOD || AS_IT_IS.test(method)) return method
  const word = method.toLowerCase().replace(/[^a-z]/g, '')
  return METHODS.get(word.endsWith('request') ? word.slice(0, -7) : word) ?? method
}

// A scheme of one letter is a drive of Windows.
const URI = /^[a-z][a-z0-9+.-]+:/i

/**
 * What was called, where the kind stands in one field and the name in another: agentgateway before 1.0.1 writes
 * `mcp.resource.type` (tool, prompt, resource, resource_template) and `mcp.resource.name`. A resource’s name is its URI only where it
 * reads like one. Fields that the record fills under their present names stay as they are.
 */
export function setTypedTarget(draft: EventDraft, type: unknown, name: unknown): void {
  const target = textOf(name)
  if (target === undefined) return
  const kind = kindOf(textOf(type), draft['mcp.method.name'])
  if (kind === 'tool') {
    draft['gen_ai.tool.name'] ??= target
    draft['mcp.method.name'] ??= 'tools/call'
  } else if (kind === 'prompt') {
    draft['gen_ai.prompt.name'] ??= target
    draft['mcp.method.name'] ??= 'prompts/get'
  } else if (kind === 'resource') {
    draft['mcp.method.name'] ??= 'resources/read'
    if (URI.test(target)) draft['mcp.resource.uri'] ??= target
    else draft['gen_ai.tool.call.arguments'] ??= JSON.stringify({ name: target })
  }
}

function kindOf(type: string | undefined, method: string | undefined): string | undefined {
  const word = type?.toLowerCase()
  if (word !== undefined) return word.startsWith('resource') ? 'resource' : word
  if (method === 'tools/call') return 'tool'
  if (method === 'prompts/get') return 'prompt'
  return method?.startsWith('resources/') ? 'resource' : undefined
}
