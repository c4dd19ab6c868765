// For scripts that take no arguments: they say so, instead of doing their work for somebody who asked for help.

/** Ends the process where it was given arguments: with what the script does for `--help`, else with a refusal. */
export function takeNoArguments(command: string, what: string): void {
  const [first] = process.argv.slice(2)
  if (first === undefined) return
  const help = `Usage: ${command}\n\n${what}\n`
  if (first === '--help') process.stdout.write(help)
  else process.stderr.write(`${command} takes no arguments, and was given ${first}.\n\n${help}`)
  process.exit(first === '--help' ? 0 : 2)
}
