import { testSection } from '../helpers/attack-section.ts'

await testSection(4)
