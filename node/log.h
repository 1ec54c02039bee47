/* Structured log lines to stderr, friendly to journald: one line, key=value pairs after the message. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_LOG_H
#define NODE_LOG_H

/* syslog's severities, of which four are used. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Lines above this level are not written. Set once, before threads start. */
void log_set_level(enum log_level level);
/* "error", "warning", "info", "debug" to a level; -1 for any other text. */
int log_level_parse(const char *text);
/*
 * Writes "<level>TIME node=N message" in one write(2), so that lines of threads never mix. Any thread. Values with
 * spaces are the caller's to quote. Never put a secret or a private field in a line.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The node's id, for each line. */
void log_set_node(unsigned long long id);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
