"""What the engine itself is told at its start, as ClickHouse's config.xml; limits of readers are in `settings`."""

from __future__ import annotations

from typing import Final

# Caches are sized for one laptop: ClickHouse's defaults (5 GB for marks alone) are for a server. Their sum counts in
# `SqlConfig.sure_bytes`. Every insert and merge writes parts and removes others, and files are what they cost: a wide
# part of touchpoints has 165, a compact one 15, a packed one a single file. Small ones are packed, larger ones compact.
CONFIG_XML: Final = """<clickhouse>
<users_config>{users}</users_config>
<max_server_memory_usage>{memory}</max_server_memory_usage>
<memory_worker_period_ms>500</memory_worker_period_ms>
<mark_cache_size>67108864</mark_cache_size>
<index_mark_cache_size>33554432</index_mark_cache_size>
<primary_index_cache_size>67108864</primary_index_cache_size>
<vector_similarity_index_cache_size>1048576</vector_similarity_index_cache_size>
<iceberg_metadata_files_cache_size>1048576</iceberg_metadata_files_cache_size>
<query_condition_cache_size>16777216</query_condition_cache_size>
<compiled_expression_cache_size>33554432</compiled_expression_cache_size>
<background_pool_size>2</background_pool_size>
<background_merges_mutations_concurrency_ratio>2</background_merges_mutations_concurrency_ratio>
<background_schedule_pool_size>4</background_schedule_pool_size>
<max_thread_pool_size>256</max_thread_pool_size>
<max_thread_pool_free_size>8</max_thread_pool_free_size>
<storage_configuration><disks><default>
<keep_free_space_bytes>{keep_free}</keep_free_space_bytes>
</default></disks></storage_configuration>
<backups><allowed_path>{backups}</allowed_path></backups>
<merge_tree>
<min_bytes_for_wide_part>134217728</min_bytes_for_wide_part>
<min_bytes_for_full_part_storage>33554432</min_bytes_for_full_part_storage>
<min_rows_for_full_part_storage>1000000000</min_rows_for_full_part_storage>
</merge_tree>
<ignore_empty_sql_security_in_create_view_query>0</ignore_empty_sql_security_in_create_view_query>
</clickhouse>
"""
