/**
 * Whose record it is. A record’s topic says where it came in: a Kafka topic, `http-<source>` of a credential, a file. What
 * has one sender is one source, and only what one source says is compared by ids, and put together
 * (docs/adr/0019-whose-record-it-is.md).
 */
export interface Sources {
  /** The source of a topic, or of the sources that belong together the one that stands for them. */
  of(topic: string): string
  /** Whether the operator declared what comes from it as history. */
  isHistory(topic: string): boolean
}

export interface SourceSettings {
  /** Lists of sources that the operator takes for one; `*` at the end of a name stands for anything. */
  readonly together?: readonly (readonly string[])[]
  /** Sources whose records may be as old as they like, and are learned from; `*` as above. */
  readonly history?: readonly string[]
}

// Without a source in its credential, a request has the name of the process’s segment log: a UUID.
const UNBOUND = /^http-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const FILE = 'file:'

/** The source of a topic when nothing is said to belong together: files of one folder have one. */
export function sourceOf(topic: string): string {
  if (topic.startsWith(FILE)) {
    const end = topic.lastIndexOf('/')
    return end === -1 ? FILE : topic.slice(0, end + 1)
  }
  return UNBOUND.test(topic) ? 'http' : topic
}

// A topic has few distinct values; names of files may come and go.
const MAX_REMEMBERED = 10_000

export function createSources({ together = [], history = [] }: SourceSettings = {}): Sources {
  const groups = together.map((names) => ({ group: `together:${names[0] ?? ''}`, names }))
  const known = new Map<string, string>()
  const matches = (name: string, topic: string, source: string) =>
    name === topic ||
    name === source ||
    (name.endsWith('*') && (topic.startsWith(name.slice(0, -1)) || source.startsWith(name.slice(0, -1))))
  return {
    of: (topic) => {
      const remembered = known.get(topic)
      if (remembered !== undefined) return remembered
      const source = sourceOf(topic)
      const found = groups.find(({ names }) => names.some((name) => matches(name, topic, source)))
      if (known.size >= MAX_REMEMBERED) known.clear()
      const answer = found?.group ?? source
      known.set(topic, answer)
      return answer
    },
    isHistory: (topic) => history.some((name) => matches(name, topic, sourceOf(topic))),
  }
}

/** Nothing belongs together, nothing is history. */
export const SEPARATE_SOURCES: Sources = createSources()
