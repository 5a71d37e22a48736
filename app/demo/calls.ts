import type { Outcome } from '../../core/audit-event.ts'
import type { Principal, Task } from './organisation.ts'
import type { Random } from './random.ts'
import { type Tool, toolAt } from './tools.ts'

/** One tool call as it happened, before a gateway reports it. */
export interface Call {
  readonly atMs: number
  readonly id: string
  readonly session: string
  /** Place in its session, from 1: the JSON-RPC request id. */
  readonly step: number
  readonly principal: Principal
  readonly tool: Tool
  readonly arguments: Readonly<Record<string, unknown>>
  readonly outcome: Outcome
  readonly error?: readonly [type: string, message: string]
  readonly durationMs: number
  readonly requestBytes: number
  readonly responseBytes: number
}

/** What a call differs in from an ordinary one. */
export interface CallOptions {
  readonly arguments?: Readonly<Record<string, unknown>>
  readonly outcome?: Outcome
  readonly answerBytes?: number
}

/** A session: makes calls one after the other for one principal. */
export interface Session {
  call(toolPath: string, atMs: number, options?: CallOptions): Call
}

const FAULTS: readonly (readonly [probability: number, outcome: Outcome, type: string, message: string])[] = [
  [0.016, 'failure', 'tool_error', 'Upstream answered 502 Bad Gateway'],
  [0.006, 'failure', 'invalid_params', 'Missing required argument'],
  [0.004, 'timeout', 'timeout', 'No answer within 30 s'],
  [0.003, 'denied', 'permission_denied', 'Policy does not allow this tool for this caller'],
]

export function openSession(random: Random, principal: Principal): Session {
  const hex = random.hex(32)
  const session = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  let step = 0
  return {
    call(toolPath, atMs, options = {}) {
      const tool = toolAt(toolPath)
      step += 1
      const values = options.arguments ?? tool.argumentsOf(random)
      const fault = options.outcome === undefined ? faultOf(random) : undefined
      const outcome = options.outcome ?? fault?.[1] ?? 'success'
      return {
        atMs: Math.round(atMs),
        id: random.hex(32),
        session,
        step,
        principal,
        tool,
        arguments: values,
        outcome,
        ...(fault === undefined ? {} : { error: [fault[2], fault[3]] as const }),
        durationMs:
          outcome === 'timeout' ? 30_000 : Math.round(random.spread(tool.durationMs, 0.45) * 10) / 10,
        requestBytes: 180 + random.int(0, 60) + 24 * Object.keys(values).length,
        responseBytes:
          outcome === 'success'
            ? Math.round(random.spread(options.answerBytes ?? tool.answerBytes, 0.35))
            : 140,
      }
    },
  }
}

function faultOf(random: Random): (typeof FAULTS)[number] | undefined {
  let rest = random.next()
  for (const fault of FAULTS) {
    rest -= fault[0]
    if (rest < 0) return fault
  }
  return undefined
}

/** The calls of one piece of work, in a session of its own; `gapMs` lies between two calls, on average. */
export function callsOfTask(
  random: Random,
  principal: Principal,
  task: Task,
  startMs: number,
  gapMs: number,
): Call[] {
  const session = openSession(random, principal)
  const calls: Call[] = []
  let atMs = startMs
  for (const [tool, min, max] of task.steps) {
    for (let left = random.int(min, max); left > 0; left -= 1) {
      const call = session.call(tool, atMs)
      calls.push(call)
      atMs += call.durationMs + random.spread(gapMs, 0.7)
      // Whoever is refused does not ask again.
      if (call.outcome === 'denied') break
    }
  }
  return calls
}
