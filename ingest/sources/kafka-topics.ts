/** What one topic carries. */
export interface KafkaTopic {
  readonly name: string
  /** Fixes the format of its records; otherwise each is recognised. */
  readonly format?: string
  readonly tenant?: string
}

/** The same for every topic whose name a pattern matches. */
export interface KafkaTopicPattern extends Omit<KafkaTopic, 'name'> {
  /** A regular expression. */
  readonly pattern: string
}

export interface ResolvedTopics {
  readonly topics: ReadonlyMap<string, KafkaTopic>
  /** Named, and not there. */
  readonly missing: readonly string[]
}

/**
 * Which of the topics that exist are read, and as what: a topic that is named is read as said there, another one as the
 * first pattern says that matches it. Topics of the brokers themselves (`__…`) are read only by name.
 */
export function resolveTopics(
  wanted: readonly (KafkaTopic | KafkaTopicPattern)[],
  existing: readonly string[],
): ResolvedTopics {
  const there = new Set(existing)
  const topics = new Map<string, KafkaTopic>()
  const missing: string[] = []
  for (const topic of wanted) {
    if (!('name' in topic)) continue
    if (there.has(topic.name)) topics.set(topic.name, topic)
    else missing.push(topic.name)
  }
  for (const topic of wanted) {
    if (!('pattern' in topic)) continue
    const { pattern, ...carries } = topic
    const expression = new RegExp(pattern, 'u')
    for (const name of existing) {
      if (!topics.has(name) && !name.startsWith('__') && expression.test(name))
        topics.set(name, { ...carries, name })
    }
  }
  return { topics, missing }
}
