import type { Connection } from './connection/connection.js';
import { defineScript, runScript } from './script.js';

/** Runs every needed command on a probe key, and returns the refused ones. A state such as READONLY is an error. */
const probeScript = defineScript(`
local key, refused = KEYS[1], {}
local states = {'READONLY', 'OOM', 'MISCONF', 'NOREPLICAS', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN'}
-- SET comes first: Redis checks its memory only before the first write of a script.
local commands = {
  {'SET', key, '', 'PX', 1000}, {'GETRANGE', key, 0, 0}, {'UNLINK', key}, {'RPUSH', key, ''}, {'LINDEX', key, 0},
  {'LTRIM', key, 0, 0}, {'PEXPIRE', key, 1000}, {'TIME'}, {'SCAN', 0, 'COUNT', 1}
}
for _, command in ipairs(commands) do
  local reply = redis.pcall(unpack(command))
  -- WRONGTYPE means that this command is allowed, and an earlier one was refused: the key has another type.
  if type(reply) == 'table' and reply.err and not string.find(reply.err, 'WRONGTYPE', 1, true) then
    for _, state in ipairs(states) do
      if string.find(reply.err, state .. ' ', 1, true) then return redis.error_reply(state .. ' found by a probe') end
    end
    refused[#refused + 1] = string.lower(command[1])
  end
end
return refused
`);

/** Selects the database and resolves with the commands that Redis refuses. Rejects if Redis cannot serve at all. */
export async function probe(connection: Connection, db: number): Promise<readonly string[]> {
  if (db !== 0) await connection.select(db);
  const replies = await Promise.all(
    connection.probeKeys().map((key) => runScript(connection.commands, probeScript, [key], [])),
  );
  return [...new Set(replies.flat().map(String))];
}
