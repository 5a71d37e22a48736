import { GatewatchError } from '../../../core/errors.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'

// Opens the data folder given and tells the parent how it went: `{}` or the error.
let answer: { code?: string; message?: string } = {}
try {
  const database = await openEmbedded({ path: process.argv[2] ?? '' })
  await database.close()
} catch (error) {
  answer =
    error instanceof GatewatchError
      ? { code: error.code, message: error.toLine() }
      : { message: String(error) }
}
process.send?.(answer, () => process.disconnect())
