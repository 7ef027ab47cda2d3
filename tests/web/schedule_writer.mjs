// Writes schedules for test_schedule_text.py: JSON lines of {prompts, former, how} in, texts out.
import { readFileSync } from "node:fs"
import { writings } from "../../web/lib/schedule_text.js"

const asked = JSON.parse(readFileSync(0, "utf8"))
process.stdout.write(
  JSON.stringify(asked.map(({ prompts, former, how }) => writings(prompts, former, how))),
)
