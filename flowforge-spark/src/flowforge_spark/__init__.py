"""Apache Spark and Databricks for FlowForge; see :mod:`flowforge_spark.plugin`."""
