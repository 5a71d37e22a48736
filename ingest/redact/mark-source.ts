// Without a source in its credential, a request has the name of the process's segment log: a UUID.
const UNBOUND = /^http-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const FILE = 'file:'

/**
 * The source that the marks of a topic's records belong to: a Kafka topic, a credential's `http-<source>`, a folder of files.
 * The same secret has the same mark in one source, and another one in each other: who sends learns nothing of what others sent.
 */
export function markSourceOf(topic: string): string {
  if (topic.startsWith(FILE)) return topic.slice(0, topic.lastIndexOf('/') + 1) || FILE
  return UNBOUND.test(topic) ? 'http' : topic
}
