import type { Connection } from './connection/connection.js';
import { defineScript, runScript } from './script.js';

/**
 * Runs every command that the parts use, on a key of its own, and gives the names of those that are refused. What is
 * no matter of one command (a replica, a full memory) is the error of the whole.
 */
const probeScript = defineScript(`
local key, refused = KEYS[1], {}
local states = {'READONLY', 'OOM', 'MISCONF', 'NOREPLICAS', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN'}
-- SET comes first: a full memory is no matter for a script that has written already.
local commands = {
  {'SET', key, '', 'PX', 1000}, {'GETRANGE', key, 0, 0}, {'UNLINK', key}, {'RPUSH', key, ''}, {'LINDEX', key, 0},
  {'LTRIM', key, 0, 0}, {'PEXPIRE', key, 1000}, {'TIME'}, {'SCAN', 0, 'COUNT', 1}
}
for _, command in ipairs(commands) do
  local reply = redis.pcall(unpack(command))
  -- The command before may have been refused: then this one meets another type, and was let that far.
  if type(reply) == 'table' and reply.err and not string.find(reply.err, 'WRONGTYPE', 1, true) then
    for _, state in ipairs(states) do
      if string.find(reply.err, state .. ' ', 1, true) then return redis.error_reply(state .. ' found by a probe') end
    end
    refused[#refused + 1] = string.lower(command[1])
  end
end
return refused
`);

/**
 * Asks the Redis behind a connection for all that is needed of it, after it has chosen the database. Gives the commands
 * that it refuses; rejects where it cannot serve at all.
 */
export async function probe(connection: Connection, db: number): Promise<readonly string[]> {
  if (db !== 0) await connection.select(db);
  const replies = await Promise.all(
    connection.probeKeys().map((key) => runScript(connection.commands, probeScript, [key], [])),
  );
  return [...new Set(replies.flat().map(String))];
}
