/** A server with every kind of value, and a text of all it holds to compare by. */
import type { RedisServer } from '../servers/redis.ts';

/** Arguments of a server that is to tell its digest. */
export const DEBUG = ['--enable-debug-command', 'yes'];

/** Values of every type in several databases, odd names, times of expiry, a library of functions. */
export function fill(server: RedisServer): void {
  server.feed(`
    SET plain text
    SET number 12345
    SET "a=b x y -h '\\" / % \\xff\\x00\\r\\n \\xc3\\xa9" "\\x00\\x01\\xfe"
    SET long ${'x'.repeat(20_000)}
    SET expires soon PX 100000123
    RPUSH list a b 3
    SADD numbers 1 2 3
    SADD words a b ${Array.from({ length: 600 }, (_, index) => `w${index}`).join(' ')}
    HSET hash f v g 1
    ZADD scores 1.5 a inf b -inf c 3 d
    XADD stream 1-1 a b
    XADD stream 2-1 c d
    XGROUP CREATE stream group 0
    XREADGROUP GROUP group me COUNT 1 STREAMS stream >
    GEOADD places 13.4 52.5 Berlin
    PFADD guess a b c
    SETBIT bits 100 1
    DEBUG POPULATE 5000 many 20
    SELECT 3
    SET three 3
    SELECT 15
    SET last "" EX 5000
    FUNCTION LOAD "#!lua name=mylib\\nredis.register_function('one', function() return 1 end)"
  `);
}

/** Of every key and value of all databases. */
export const digest = (server: RedisServer): string => server.cli('DEBUG', 'DIGEST');
