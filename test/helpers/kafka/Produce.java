import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends the records that arrive framed on standard input (see foreign-producer.ts) with Apache Kafka's own client, one
 * request after the other until the input ends, and answers each once the broker has acknowledged all of its records:
 * their number, then partition and offset of each; or -1 and what went wrong.
 * Arguments: bootstrap servers.
 */
public final class Produce {
  private Produce() {}

  public static void main(String[] arguments) throws Exception {
    DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
    DataOutputStream out = new DataOutputStream(System.out);
    Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    for (; ; ) {
      List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
      String compression;
      try {
        compression = new String(bytes(in), "UTF-8");
      } catch (EOFException end) {
        Runtime.getRuntime().halt(0);
        return;
      }
      for (int left = in.readInt(); left > 0; left--) records.add(read(in));
      try {
        KafkaProducer<byte[], byte[]> producer =
            producers.computeIfAbsent(compression, name -> open(arguments[0], name));
        List<RecordMetadata> places = send(producer, records);
        out.writeInt(places.size());
        for (RecordMetadata place : places) {
          out.writeInt(place.partition());
          out.writeLong(place.offset());
        }
      } catch (Exception failure) {
        byte[] words = String.valueOf(failure).getBytes("UTF-8");
        out.writeInt(-1);
        out.writeInt(words.length);
        out.write(words);
      }
      out.flush();
    }
  }

  private static List<RecordMetadata> send(
      KafkaProducer<byte[], byte[]> producer, List<ProducerRecord<byte[], byte[]>> records) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>(records.size());
    for (ProducerRecord<byte[], byte[]> record : records) sent.add(producer.send(record));
    producer.flush();
    List<RecordMetadata> places = new ArrayList<>(sent.size());
    for (Future<RecordMetadata> future : sent) places.add(future.get());
    return places;
  }

  private static KafkaProducer<byte[], byte[]> open(String servers, String compression) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", servers);
    properties.put("compression.type", compression);
    properties.put("acks", "all");
    properties.put("linger.ms", "5");
    properties.put("max.request.size", "16777216");
    // Longer than a test may take.
    properties.put("max.block.ms", "1200000");
    properties.put("delivery.timeout.ms", "1200000");
    properties.put("request.timeout.ms", "20000");
    properties.put("reconnect.backoff.max.ms", "100");
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private static ProducerRecord<byte[], byte[]> read(DataInputStream in) throws Exception {
    String topic = new String(bytes(in), "UTF-8");
    int partition = in.readInt();
    long timestamp = in.readLong();
    byte[] key = bytes(in);
    byte[] value = bytes(in);
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, partition < 0 ? null : partition, timestamp < 0 ? null : timestamp, key, value);
    int headers = in.readInt();
    for (int i = 0; i < headers; i++) {
      record.headers().add(new String(bytes(in), "UTF-8"), bytes(in));
    }
    return record;
  }

  private static byte[] bytes(DataInputStream in) throws Exception {
    int length = in.readInt();
    if (length < 0) return null;
    byte[] result = new byte[length];
    in.readFully(result);
    return result;
  }
}
