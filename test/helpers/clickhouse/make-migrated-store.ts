import { openEmbedded } from '../../../store/clickhouse.ts'
import { migrate } from '../../../store/migrate.ts'

// A process of its own: the engine is one a process, and this one is not the test’s. Argument: the folder to make.
const [path = ''] = process.argv.slice(2)
const database = await openEmbedded({ path })
await migrate(database)
await database.close()
