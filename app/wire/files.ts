import { join } from 'node:path'
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '../../core/clock.ts'
import type { HealthCheck } from '../../core/health.ts'
import {
  createFileFollower,
  type FileFollower,
  type FollowedPath,
  type FollowOptions,
} from '../../ingest/sources/file-follow.ts'
import { openFilePositions } from '../../ingest/sources/file-positions.ts'
import { openFileRegistry } from '../../ingest/sources/file-registry.ts'
import type { NoteSetAside } from '../../ingest/state-file.ts'
import type { IngestTelemetry } from '../../ingest/telemetry.ts'
import type { Part } from '../lifecycle.ts'

export interface FilesPart extends Part {
  readonly follower: FileFollower
  /** Whether the followed files are read. */
  readonly check: HealthCheck
}

/** Follows files as a source; what `take` makes durable is never asked again. */
export async function createFilesPart(options: {
  readonly data: string
  /** Of the file of positions, so that two followers on one data folder do not share it. */
  readonly positions?: string
  readonly noteSetAside?: NoteSetAside
  readonly paths: readonly FollowedPath[]
  readonly take: FollowOptions['take']
  readonly clock: Clock
  readonly telemetry: IngestTelemetry
  readonly registry?: Registry
  /** Folders of gatewatch itself beside `data`, of which nothing is read. */
  readonly own?: readonly string[]
}): Promise<FilesPart> {
  const { paths, take, clock, telemetry, registry } = options
  const positions = await openFilePositions(
    join(options.data, 'files'),
    options.positions,
    options.noteSetAside,
  )
  const { topicOf } = await openFileRegistry(join(options.data, 'files'), undefined, options.noteSetAside)
  const follower = createFileFollower({
    paths,
    positions,
    topicOf,
    take: async (records) => {
      await take(records)
      telemetry.recordsRead('file', records.length)
    },
    clock,
    own: [options.data, ...(options.own ?? [])],
    onTrouble: (message) => telemetry.logFault(`following files: ${message}`),
  })
  if (registry !== undefined) {
    new Gauge({
      name: 'gatewatch_files_waiting_bytes',
      help: 'Bytes in followed files that are not stored yet: the beginning of a line, or a store that is away',
      registers: [registry],
      collect() {
        this.set(follower.status().waitingBytes)
      },
    })
  }
  return {
    name: 'files',
    follower,
    check: () => {
      const { lastError, leftOut } = follower.status()
      return [
        ...(lastError === undefined
          ? []
          : [{ state: 'failing', reason: 'files_not_read', detail: lastError } as const]),
        // Whoever may write into the folder can put a link there: that must not stop the rest.
        ...leftOut.map((detail) => ({ state: 'degraded', reason: 'files_left_out', detail }) as const),
      ]
    },
    start: () => follower.start(),
    stop: () => follower.stop(),
  }
}
